package handler

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// ticketLifetime is how long a person may look at a form.
const ticketLifetime = 15 * time.Minute

// ticketKind is the form that a ticket is for. A ticket for one is worth
// nothing in another.
type ticketKind string

const (
	ticketLogin   ticketKind = "login"
	ticketConsent ticketKind = "consent"
	ticketLogout  ticketKind = "logout"
	ticketCode    ticketKind = "activate" // the form that takes a user code
	ticketDevice  ticketKind = "device"   // the form that approves a device
	ticketAccount ticketKind = "account"  // the form that signs a person's applications out
	ticketKeys    ticketKind = "app_keys" // the form that makes app keys
	ticketLeft    ticketKind = "left"     // no form: the way to the sign-out of a provider
	ticketFlow    ticketKind = "flow"     // no form: the way to a provider, see flow
)

// ticket is the hidden field of a form: what the server must know again when
// the form comes back, sealed, so that it keeps nothing meanwhile. It is bound
// to the browser's cookie, which makes it the CSRF token too.
type ticket struct {
	ID      [16]byte              `json:"i"`
	Browser browserID             `json:"b"`
	Expires int64                 `json:"e"`           // Unix seconds
	Auth    *tokens.Authorization `json:"a,omitempty"` // login, consent
	Session storage.SessionID     `json:"s,omitzero"`  // consent, activate, device, account
	Fresh   bool                  `json:"f,omitempty"` // consent: the person has signed in for this request
	Asked   *tokens.Question      `json:"q,omitempty"` // consent: what the form asks
	Logout  *logoutRequest        `json:"o,omitempty"` // logout
	Page    *ownPage              `json:"p,omitempty"` // login, where there is no Auth
	Device  *tokens.DeviceRequest `json:"d,omitempty"` // device
	Code    string                `json:"u,omitempty"` // device: the user code
}

var (
	errTicketBad = fmt.Errorf("opening ticket: %w", wire.ErrForbidden)
	// errTicketStale is a ticket of ours that decides nothing, only what is asked once more.
	errTicketStale   = errors.New("opening ticket: it is stale")
	errTicketExpired = fmt.Errorf("%w: it has expired", errTicketStale)
	// errTicketStrange is also what a tab has whose cookie another tab replaced, or the person deleted.
	errTicketStrange = fmt.Errorf("%w: it is of another browser", errTicketStale)
)

// sealTicket completes a ticket and seals it for a form.
func (s *Server) sealTicket(w http.ResponseWriter, r *http.Request, kind ticketKind, t ticket) (string, error) {
	_, _ = rand.Read(t.ID[:]) // never fails
	t.Browser = s.browser(w, r)
	t.Expires = s.Clock().Add(ticketLifetime).Unix()
	b, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("sealing ticket: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.Secrets().Seal(secrets.PurposeSealPage, b, s.sealedFor(kind))), nil
}

// openTicket reads the ticket of a form that came back in the browser that got
// it. errTicketStale comes with the ticket: it is genuine, but too old or of
// another browser, and its form is to be shown again.
func (s *Server) openTicket(r *http.Request, kind ticketKind, text string) (*ticket, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errTicketBad
	}
	b, _, err := s.Secrets().Open(secrets.PurposeSealPage, sealed, s.sealedFor(kind))
	if err != nil {
		return nil, errTicketBad
	}
	var t ticket
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, errTicketBad
	}
	if err := s.stillValid(r.Context(), t.Auth); err != nil {
		return nil, err
	}
	if id, ok := s.sentBrowser(r); !ok || id != t.Browser {
		return &t, errTicketStrange
	}
	if s.Clock().Unix() >= t.Expires {
		return &t, errTicketExpired
	}
	return &t, nil
}

// sealedFor is what a ticket is good for: one form of one issuer. Another may
// have the same secret, with a store of its own.
func (s *Server) sealedFor(kind ticketKind) []byte {
	return []byte(string(kind) + " " + s.IssuerURL)
}

// stillValid refuses a request that was validated when its page was made, and may not be
// answered any more. A nil a is no request of a client. Nobody knows during an outage.
func (s *Server) stillValid(ctx context.Context, a *tokens.Authorization) error {
	if a == nil {
		return nil
	}
	c, err := s.Issuer.Asking(ctx, a)
	switch {
	case err != nil && oauth.AsError(err).Code == oauth.TemporarilyUnavailable:
		return err
	case err != nil || !c.MatchesRedirect(a.RedirectURI):
		return wire.Malformed("The application or its redirect_uri is no longer registered.")
	}
	return nil
}

// sameOrigin reports whether a browser sends this form from our own pages, as
// far as it tells: the ticket decides, this only refuses early.
func (s *Server) sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return false
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == s.issuerOrigin
}
