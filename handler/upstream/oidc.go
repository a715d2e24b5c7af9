// Package upstream signs people in by somebody else's identity provider: by OpenID
// Connect, or at GitHub. It knows no pages, no cookies and no store. It alone knows
// go-oidc and x/oauth2.
//
// Begin reading at OIDC, then idtoken.go.
package upstream

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// OIDC is a login at an OpenID provider; see login.Elsewhere. Safe for concurrent use.
type OIDC struct {
	cfg       Config
	client    *http.Client
	clock     *clockDifference
	published *published
	keys      *jwks.Remote // nil where nothing is verified by keys
	source    source
	health    health
	bounds    *bounds

	fresh    freshness // of keys, for sign-ins
	signOuts signOuts

	mu        sync.Mutex
	throttled time.Time // no recheck before
}

// NewOIDC makes an OIDC. It does no I/O. Errors name the setting and the fix.
func NewOIDC(cfg Config) (*OIDC, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	switch {
	case cfg.Scopes == nil:
		cfg.Scopes = []string{"openid", "profile", "email"}
	case !slices.Contains(cfg.Scopes, "openid"):
		cfg.Scopes = slices.Concat([]string{"openid"}, cfg.Scopes)
	}
	o := newOIDC(cfg, cfg.written())
	o.source = openID{o}
	if !slices.Contains(cfg.Algorithms, HS256) {
		o.keys = o.newKeys()
	}
	return o, nil
}

// newOIDC makes what both kinds of login have. Without a document it is discovered.
func newOIDC(cfg Config, doc *metadata) *OIDC {
	if cfg.Observer == nil {
		cfg.Observer = oauth.NopObserver{}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if len(cfg.Subject) == 0 {
		cfg.Subject = []string{"sub"}
	}
	o := &OIDC{
		bounds:    newBounds(),
		signOuts:  newSignOuts(),
		cfg:       cfg,
		clock:     new(clockDifference),
		published: &published{wake: make(chan struct{}, 1), report: oauth.ReportRecovered(cfg.Observer, oauth.OutcomeProvider)},
		health:    health{observer: cfg.Observer, login: cfg.Name, issuer: cfg.Issuer},
	}
	o.client = o.cfg.newClient(o.clock)
	if doc != nil {
		o.published.held.Store(doc)
		return o
	}
	o.published.discover = func(ctx context.Context) (*metadata, error) { return o.cfg.discover(ctx, o.client) }
	o.published.told = o.discovered
	return o
}

// Start begins to fetch what the provider publishes, in the background. It does not wait.
func (o *OIDC) Start() {
	o.published.start()
	if o.keys != nil && o.published.held.Load() != nil {
		o.keys.Start()
	}
}

// Close ends the background work and waits for it.
func (o *OIDC) Close() {
	o.published.close()
	if o.keys != nil {
		o.keys.Close()
	}
}

// discovered hears of each fetch of the discovery document.
func (o *OIDC) discovered(before, now *metadata, err error) {
	ctx := context.Background()
	switch {
	case errors.Is(err, errOtherIssuer):
		o.health.discovered(ctx, oauth.LoginOtherIssuer, err)
	case err != nil && before == nil:
		o.health.discovered(ctx, oauth.LoginNoDiscovery, err)
	case err != nil:
		if o.published.lost() != nil {
			o.health.lost(ctx, err)
		}
		o.cfg.Logger.Warn("the last good discovery document of a provider serves", "login", o.cfg.Name, "error", err)
	default:
		o.health.discovered(ctx, "", nil)
		if o.keys != nil {
			o.keys.Start()
		}
		if before != nil && (before.JWKS != now.JWKS || hostOf(before.Token) != hostOf(now.Token)) {
			o.cfg.Logger.Warn("a provider has moved", "login", o.cfg.Name, "token_endpoint", now.Token, "jwks_uri", now.JWKS)
		}
	}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// Name returns the login's name.
func (o *OIDC) Name() string { return o.cfg.Name }

// Label returns the login's name for people.
func (o *OIDC) Label() string {
	if o.cfg.Label == "" {
		return o.cfg.Name
	}
	return o.cfg.Label
}

// Fingerprint returns the same for every user: that of the login's name, issuer and
// subject claims. Another provider under an old name is somebody else (H1).
func (o *OIDC) Fingerprint(storage.UserTag) storage.Fingerprint {
	return o.FingerprintOf(o.cfg.Issuer, nil)
}

// FingerprintOf implements login.Rebinder.
func (o *OIDC) FingerprintOf(issuer string, subject []string) storage.Fingerprint {
	if len(subject) == 0 {
		subject = o.cfg.Subject
	}
	sum := sha256.Sum256([]byte(strings.Join(append([]string{o.cfg.Name, issuer}, subject...), "\x00")))
	return storage.Fingerprint(sum[:len(storage.Fingerprint{})])
}

// Schedule implements login.Elsewhere.
func (o *OIDC) Schedule() login.Schedule { return o.cfg.Schedule }

// Domains implements login.Elsewhere.
func (o *OIDC) Domains() []string { return o.cfg.EmailDomains }

// Trouble implements login.Elsewhere.
func (o *OIDC) Trouble() error {
	if err := o.published.trouble(); err != nil {
		return err
	}
	if o.keys != nil && o.keys.Trusted(o.cfg.Clock()) == nil {
		return errors.New("fetching key set: the keys of the provider have not been had for a day, or never")
	}
	return o.health.refused()
}

// Away implements login.Elsewhere.
func (o *OIDC) Away() error {
	err := o.published.lost()
	if _, ok := errors.AsType[noAnswerError](err); ok {
		return failed(login.FailedDown, reasonUnreachable, err)
	}
	return nil
}

var (
	_ login.Elsewhere = (*OIDC)(nil)
	_ login.SignOuts  = (*OIDC)(nil)
	_ login.Rebinder  = (*OIDC)(nil)
)
