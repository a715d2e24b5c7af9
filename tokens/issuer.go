// Package tokens is the authorization server of one configuration: plain values in,
// plain values or a typed *oauth.Error out. It knows no HTTP, no Caddy and no
// database; what it shares with the resource server is in the packages below it.
//
// An Issuer is one configuration over a state.State, which reloads share. Every
// grant works in the same order: authenticate the client, validate what can be
// refused without the store, let one atomic store call decide, then mint.
//
// Begin reading at Issuer, then at the grant: code.go, refresh.go, device.go, clientcredentials.go.
package tokens

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Config is one configuration of the authorization server. It is immutable;
// a reload makes a new Issuer over the same State.
type Config struct {
	Issuer  string // exactly as it is emitted; an https URL, http on loopback only
	APIs    []*clients.API
	Clients []*clients.Client
	// Registration is for clients that register themselves (RFC 7591); nil admits none.
	Registration *clients.Policy
	// Documents is for clients that publish their metadata at their client_id; nil admits none.
	Documents *clients.DocumentPolicy
	Accounts  Accounts
	// People knows the groups of the configuration; nil for none.
	People *people.Directory
	// Providers asks providers again about people; nil where no login is at one.
	Providers Providers
	ACRs      []string // that the logins can give; others are never asked for
	// AccessTokenAlg and IDTokenAlg are JWA names. A client may have its own IDTokenAlg, an API its own SigningAlg.
	AccessTokenAlg string
	IDTokenAlg     string
	// IDTokenLifetime is how long ID tokens are good for.
	IDTokenLifetime time.Duration
	// UserinfoTokenLifetime is the lifetime of access tokens for no API.
	UserinfoTokenLifetime time.Duration
	SessionLifetime       time.Duration // absolute
	SessionIdleLifetime   time.Duration
	// CompareHash compares a secret with a bcrypt or argon2id hash.
	CompareHash func(hash, plaintext []byte) (bool, error)
	// Proofs checks DPoP proofs, by Clock. Configurations of one node share it, so
	// that a reload forgets no proof; nil makes one.
	Proofs *dpop.Proofs
	// ProofNonces demands that a DPoP proof brings a nonce of this gateway's.
	ProofNonces bool
	Observer    oauth.Observer
	Clock       func() time.Time
	Rand        io.Reader
}

// Accounts is what the configuration knows about its logins and local users, asked at
// every refresh.
type Accounts interface {
	// Fingerprints returns those that somebody with this tag may have as configured
	// now, storage.MaxFingerprints at most: a local user's password hash, and each login
	// at somebody else's provider; only those of the logins that are named, if any are.
	// Anybody with another one is refused.
	Fingerprints(user storage.UserTag, logins ...string) []storage.Fingerprint
	// Lists reports whether the configuration itself names the user. Those of a
	// provider's it does not.
	Lists(user storage.UserTag) bool

	verify.Standing
}

// fits reports whether the configuration knows a person as their last login did.
func (i *Issuer) fits(user storage.UserTag, p *Profile) bool {
	known := storage.Profile{Fingerprint: p.Fingerprint, Before: p.Before}
	return known.Fits(i.cfg.Accounts.Fingerprints(user))
}

// Issuer is the authorization server of one configuration.
type Issuer struct {
	cfg      Config
	state    *state.State
	verifier *verify.Verifier
	people   *verify.Standings
	clients  *clients.Directory
	apis     map[string]*clients.API
	algs     []jose.Algorithm // of access tokens: the gateway's and those of APIs
	auth     *clients.Authenticator
	proofs   dpop.Checker
	rechecks rechecks
}

// NewIssuer makes an Issuer over shared state. Two clients with one tag are an
// error; all else in Config comes checked.
func NewIssuer(cfg Config, state *state.State) (*Issuer, error) {
	if cfg.Proofs == nil {
		cfg.Proofs = dpop.NewProofs(cfg.Clock)
	}
	directory, err := clients.NewDirectory(cfg.Clients, clients.Unregistered{
		Lasting: state.Keys.Lasting, Registration: cfg.Registration, Documents: cfg.Documents, Book: state.Documents,
	})
	if err != nil {
		return nil, err
	}
	i := &Issuer{cfg: cfg, state: state, clients: directory, apis: make(map[string]*clients.API, len(cfg.APIs))}
	i.verifier = verify.New(i.ownTokens())
	i.people = verify.NewStandings(cfg.Accounts, state.Store, cfg.Clock)
	i.proofs = cfg.Proofs
	if cfg.ProofNonces {
		i.proofs = dpop.NewNonces(cfg.Proofs, state.Secrets)
	}
	i.auth = clients.NewAuthenticator(clients.AuthenticatorConfig{
		Issuer:      cfg.Issuer,
		Clients:     directory,
		Secrets:     state.ClientSecrets,
		Assertions:  state.Store,
		NewAttempt:  state.NewAttempt,
		CompareHash: cfg.CompareHash,
		Observer:    cfg.Observer,
		Clock:       cfg.Clock,
	})
	i.algs = []jose.Algorithm{jose.Algorithm(cfg.AccessTokenAlg)}
	for _, a := range cfg.APIs {
		i.apis[a.Identifier] = a
		if a.SigningAlg != "" && !slices.Contains(i.algs, a.SigningAlg) {
			i.algs = append(i.algs, a.SigningAlg)
		}
	}
	return i, nil
}

// ownTokens says how tokens of this gateway are verified, and whose others are.
func (i *Issuer) ownTokens(others ...*verify.Foreign) verify.Config {
	return verify.Config{
		Issuer: i.cfg.Issuer,
		Keys:   i.state.Keys,
		Cache:  i.state.Cache,
		Clock:  i.cfg.Clock,
		Own:    i.state.StoreTime(i.cfg.Clock),
		Leeway: oauth.DefaultLeeway,
		Others: others,

		TagClient: i.clients.Tag,
	}
}

// Gate makes what a guarded route checks access tokens with, of this gateway and
// of others. Ready opens what this gateway's need, see verify.NewGate.
func (i *Issuer) Gate(ready func(context.Context) error, others ...*verify.Foreign) (*verify.Gate, error) {
	return verify.NewGate(i.ownTokens(others...), i.state.Denylist, i.people, ready)
}

// Config returns what the Issuer was made of.
func (i *Issuer) Config() Config { return i.cfg }

// Verifier verifies tokens of this gateway.
func (i *Issuer) Verifier() *verify.Verifier { return i.verifier }

// Client returns the client with an id, as clients.Directory.Resolve does.
func (i *Issuer) Client(ctx context.Context, id string) (*clients.Client, error) {
	return i.clients.Resolve(ctx, id)
}

// Configured returns the client of the configuration with an id.
func (i *Issuer) Configured(id string) (*clients.Client, bool) { return i.clients.Configured(id) }

// Tagged returns the client of the configuration with a tag.
func (i *Issuer) Tagged(tag storage.ClientTag) (*clients.Client, bool) { return i.clients.Tagged(tag) }

// TagOf returns the tag of a client by its client_id, or by NamedClient.ID, whether there is
// such a client or not.
func (i *Issuer) TagOf(ref string) storage.ClientTag {
	if _, ok := i.clients.Configured(ref); !ok {
		if tag, ok := storage.ParseClientTag(ref); ok {
			return tag
		}
	}
	return i.clients.Tag(ref)
}

// KeepsEnd is how long the end of a client must be known: as long as anything may live that
// it ends, and for good where the configuration could have named it.
func (i *Issuer) KeepsEnd(tag storage.ClientTag) time.Duration {
	p, known := i.clients.Policy(tag)
	if !tag.Unregistered() || !known || p.KeepsGrants() == 0 {
		return 0
	}
	return p.KeepsGrants() + i.state.DenyFor()
}

// Register registers a client by what it says of itself, as clients.Directory.Register does. The
// answer's scopes are those that it may have of what it means to ask for, or else what it gets unasked.
func (i *Issuer) Register(ctx context.Context, m clients.Registering) (*clients.Registration, error) {
	random, err := i.random16()
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	r, err := i.clients.Register(m, random)
	if err != nil {
		return nil, err
	}
	c, err := i.clients.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if left := i.grantable(c, m.Asked(), c.APIs); len(left) > 0 {
		r.Scope = strings.Join(left, " ")
	}
	return r, nil
}

// Registers reports whether clients may register themselves.
func (i *Issuer) Registers() bool { return i.cfg.Registration != nil }

// Publishes reports whether clients may be known by the metadata that they publish.
func (i *Issuer) Publishes() bool { return i.cfg.Documents != nil }

// Unregistered reports whether there are clients that no configuration names.
func (i *Issuer) Unregistered() bool { return i.Registers() || i.Publishes() }

// UnknownClient says for the log which client_id came that is not registered.
func (i *Issuer) UnknownClient(id string) oauth.Mismatch { return i.clients.Unknown(id) }

// Proofs checks the DPoP proofs of this configuration, with a nonce where it demands one.
func (i *Issuer) Proofs() dpop.Checker { return i.proofs }

// Authenticator finds out which client sends a request.
func (i *Issuer) Authenticator() *clients.Authenticator { return i.auth }

// API returns a configured API by its identifier.
func (i *Issuer) API(identifier string) (*clients.API, bool) {
	a, ok := i.apis[identifier]
	return a, ok
}

// Clients returns all clients, in the order of the configuration.
func (i *Issuer) Clients() []*clients.Client { return i.clients.All() }

// APIs returns all APIs, in the order of the configuration.
func (i *Issuer) APIs() []*clients.API { return i.cfg.APIs }

// CheckAccess verifies an access token of this gateway, asks the denylist, and whether its
// person still stands.
// It is what a guarded route calls; audience, scope and claims are the
// caller's rules. Errors: InvalidToken, or TemporarilyUnavailable when the
// denylist cannot answer.
func (i *Issuer) CheckAccess(ctx context.Context, token string) (*verify.Claims, error) {
	claims, err := i.verifier.Verify(token)
	if err != nil {
		return nil, err
	}
	if err := i.CheckAgain(ctx, claims, false); err != nil {
		return nil, err
	}
	return claims, nil
}

// CheckAgain finds out afresh what may have changed about claims that CheckAccess has
// returned, their time too where expires is set. Errors: as CheckAccess.
func (i *Issuer) CheckAgain(ctx context.Context, claims *verify.Claims, expires bool) error {
	if expires {
		if err := i.verifier.StillInTime(claims); err != nil {
			return err
		}
	}
	if err := i.state.Denylist.Check(ctx, &claims.Token); err != nil {
		return err
	}
	return i.people.Check(ctx, claims)
}

func (i *Issuer) observe(ctx context.Context, e oauth.Event) { i.cfg.Observer.Happened(ctx, e) }

// random16 returns 128 random bits.
func (i *Issuer) random16() (b [16]byte, err error) {
	if _, err := io.ReadFull(i.cfg.Rand, b[:]); err != nil {
		return b, fmt.Errorf("reading randomness: %w", err)
	}
	return b, nil
}

// noteSecret counts what was made under another secret than the minting one.
func (i *Issuer) noteSecret(ctx context.Context, number int) {
	if number > 0 {
		i.observe(ctx, oauth.Event{Kind: oauth.EventSecretFallback, Outcome: oauth.OutcomePresented})
	}
}
