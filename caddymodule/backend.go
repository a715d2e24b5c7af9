package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// backend is what a configuration serves from: its issuer, over the state that it
// shares with the configurations before and after it. Provision makes it without
// touching a disk or a network, so that `caddy validate` works beside a live server.
// It becomes ready when the app starts or the first request comes, whichever is
// first: apps start in no order.
type backend struct {
	issuer    *tokens.Issuer
	shared    *sharedState
	store     StoreModule
	poolKey   string
	issuerURL string

	ctx        context.Context // ends with the configuration
	log        *zap.Logger
	observer   *events.Observer
	secrets    []string // configured ones
	secretFile string   // of the generated one otherwise
	generated  string   // what it held; "" before it was read
	settings   state.Settings

	entered       atomic.Bool
	waiting       atomic.Bool                     // the background tries to enter: the store is out of reach
	derived       atomic.Pointer[secrets.Secrets] // of the secrets, once they were read
	mu            sync.Mutex
	configuration *configuration
	released      bool
	reference     *reference // of shared
}

// start opens the store, so that what an operator must fix stops the
// start and not the first user. A store that is out of reach does not: it may be
// back before anybody comes, and every request tries again, as the background does.
func (r *backend) start() error {
	err := r.ready()
	if errors.Is(err, redisstore.ErrUnreachable) {
		r.log.Warn("the store is out of reach; until it is back, tokens can neither be issued nor refreshed", zap.Error(err))
		r.waiting.Store(true)
		go background.Keep(r.ctx, r.recovered, r.awaitStore)
		return nil
	}
	return err
}

// awaitEvery is how often the background tries to open a store that was out of reach.
const awaitEvery = 500 * time.Millisecond

// awaitStore tries until the store is open or the configuration has ended, so
// that a gateway without requests gets well, too. Its health tells how it goes.
func (r *backend) awaitStore(context.Context) {
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for r.open() != nil {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// recovered reports a panic that was caught while the store was being opened.
func (r *backend) recovered(err error) {
	r.observer.Happened(r.ctx, oauth.Event{Kind: oauth.EventBackgroundRecovered, Outcome: oauth.OutcomeOpen, Cause: err})
}

var errEnded = errors.New("this configuration has ended")

// ready makes sure that the settings are applied and the store is open. Once
// it has succeeded, it costs two atomic reads.
func (r *backend) ready() error {
	if err := r.open(); err != nil {
		return r.trouble(err)
	}
	return nil
}

// strangeSecretError is storage.ErrWrongSecret where the secret was generated,
// with the fix for that case.
type strangeSecretError struct{ secretFile string }

func (e *strangeSecretError) Error() string {
	database := strings.TrimSuffix(e.secretFile, SecretSuffix)
	return fmt.Sprintf("%s is not the secret that %s was written under: restore both from the same backup, "+
		"or move both away to start over", e.secretFile, database)
}

func (*strangeSecretError) Unwrap() error { return storage.ErrWrongSecret }

// readyToCheck is ready for guarded routes. While the store is out of reach, what
// the configuration before has opened will do: its keys, its verdicts, and its
// settings of the denylist, until those of this one can be applied.
func (r *backend) readyToCheck() error {
	if r.waiting.Load() && !r.entered.Load() && r.openBefore() {
		return nil
	}
	err := r.open()
	if err == nil || errors.Is(err, redisstore.ErrUnreachable) && r.openBefore() {
		return nil
	}
	return r.trouble(err)
}

// openBefore reports whether the state was opened already, under the same secret.
func (r *backend) openBefore() bool {
	secrets := r.derived.Load()
	return secrets != nil && r.shared.state.OpenUnder(secrets)
}

func (r *backend) open() error {
	var err error
	if !r.entered.Load() {
		err = r.enter()
	}
	if err == nil {
		err = r.shared.state.Open(r.ctx)
	}
	if len(r.secrets) == 0 && errors.Is(err, storage.ErrWrongSecret) {
		return &strangeSecretError{r.secretFile}
	}
	return err
}

// trouble reports why the store cannot be used: whoever asked learns only that it cannot.
func (r *backend) trouble(err error) error {
	r.observer.Happened(r.ctx, oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.OutcomeOpen, Cause: err})
	return err
}

// secretsInUse returns the derived keys, once the backend is ready.
func (r *backend) secretsInUse() *secrets.Secrets { return r.configuration.settings.Secrets }

// enter applies the settings, reading or generating the secret first.
func (r *backend) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.entered.Load():
		return nil
	case r.released:
		return errEnded
	}
	secrets, old, err := r.loadSecrets()
	if err != nil {
		return err
	}
	r.derived.Store(secrets)
	c := &configuration{store: r.store, settings: r.settings, observer: r.observer, issuer: r.issuer}
	c.settings.Secrets = secrets
	c.settings.StoreExpected = old
	if err := r.shared.enter(r.ctx, c); err != nil {
		return err
	}
	if r.generated != "" {
		r.shared.generated.Store(&r.generated)
	}
	r.configuration = c
	r.entered.Store(true)
	return nil
}

// loadSecrets derives the keys of the configured secrets or the generated one; old
// reports that this one was generated earlier, for a store that must be there. What
// this process runs on already is not read again: its file may be gone.
func (r *backend) loadSecrets() (derived *secrets.Secrets, old bool, err error) {
	values := r.secrets
	if len(values) == 0 {
		if inUse := r.shared.generated.Load(); inUse != nil {
			r.generated, old = *inUse, true
		} else if r.generated, old, err = generatedSecret(r.secretFile); err != nil {
			return nil, false, err
		}
		values = []string{r.generated}
	}
	raw := make([][]byte, len(values))
	for i, v := range values {
		raw[i] = []byte(v)
	}
	derived, err = secrets.NewSecrets(raw...)
	return derived, old, err
}

// maxLag is for how long what the store has said is believed; nil asks no store.
func (r *backend) maxLag() time.Duration {
	if r == nil {
		return 0
	}
	return r.settings.MaxLag
}

// newest returns the issuer of the newest configuration over the same state, nil
// where none is left, or r is nil.
func (r *backend) newest() *tokens.Issuer {
	if r == nil {
		return nil
	}
	return r.shared.newest()
}

// release gives the shared state back, once, or leaves that to the last request that
// is under way. The configuration before this one, if it lives, gets its settings
// back. Caddy calls it after a failed Provision too; a nil r has nothing.
func (r *backend) release() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.released {
		return nil
	}
	r.released = true
	var restored error
	if r.configuration != nil {
		restored = r.shared.leave(context.WithoutCancel(r.ctx), r.configuration)
	}
	return errors.Join(restored, r.reference.release())
}

// giveBack gives the shared state back to the pool, which closes it when nobody else has it.
func (r *backend) giveBack() error {
	if _, err := states.Delete(r.poolKey); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}
