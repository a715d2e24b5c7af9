package upstream

import (
	"context"
	"sync"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// health tells of what an operator has to act on, and that it is over.
type health struct {
	observer      oauth.Observer
	login, issuer string

	mu     sync.Mutex
	client error         // why this gateway was refused, until it is not any more (F40)
	broken oauth.Outcome // what was told last of the discovery document; "" for nothing
}

// clientRefused notes that the provider refuses this gateway.
func (h *health) clientRefused(ctx context.Context, err error) {
	h.mu.Lock()
	h.client = err
	h.mu.Unlock()
	h.tell(ctx, oauth.LoginClientRefused, err)
}

// clientTaken notes that it does not.
func (h *health) clientTaken(ctx context.Context) {
	h.mu.Lock()
	was := h.client
	h.client = nil
	h.mu.Unlock()
	if was != nil {
		h.tell(ctx, oauth.OutcomeOK, nil)
	}
}

// discovered notes what became of a fetch of the discovery document.
func (h *health) discovered(ctx context.Context, outcome oauth.Outcome, err error) {
	h.mu.Lock()
	was := h.broken
	h.broken = outcome
	h.mu.Unlock()
	if outcome != "" {
		h.tell(ctx, outcome, err)
	} else if was != "" {
		h.tell(ctx, oauth.OutcomeOK, nil)
	}
}

// lost notes that a provider of which there was a good document cannot be asked any more,
// once.
func (h *health) lost(ctx context.Context, err error) {
	h.mu.Lock()
	was := h.broken
	h.broken = oauth.LoginNoDiscovery
	h.mu.Unlock()
	if was != oauth.LoginNoDiscovery {
		h.tell(ctx, oauth.LoginNoDiscovery, err)
	}
}

// refused is why the provider refuses this gateway; nil where it does not.
func (h *health) refused() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.client
}

func (h *health) tell(ctx context.Context, outcome oauth.Outcome, cause error) {
	h.observer.Happened(ctx, oauth.Event{Kind: oauth.EventLoginBroken, Outcome: outcome, Login: h.login, Issuer: h.issuer, Cause: cause})
}
