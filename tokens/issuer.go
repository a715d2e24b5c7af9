package tokens

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Config is one configuration of the authorization server. It is immutable;
// a reload makes a new Issuer over the same State.
type Config struct {
	Issuer   string // exactly as it is emitted; an https URL, http on loopback only
	APIs     []*API
	Clients  []*Client
	Accounts Accounts
	// AccessTokenAlg and IDTokenAlg are JWA names. A client may have its own IDTokenAlg.
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
	// Proofs checks DPoP proofs. Configurations of one node share it, so that a
	// reload forgets no proof; nil makes one.
	Proofs *Proofs
	// ProofNonces demands that a DPoP proof brings a nonce of this gateway's.
	ProofNonces bool
	Observer    Observer
	Clock       func() time.Time
	Rand        io.Reader
}

// Accounts is what the configuration knows about its local users, asked at every refresh.
type Accounts interface {
	// Fingerprint returns the fingerprint of the user's password hash as
	// configured now, or zero for a user who is not local (any more).
	Fingerprint(user UserTag) Fingerprint
}

// Issuer is the authorization server of one configuration.
type Issuer struct {
	cfg      Config
	state    *State
	verifier *Verifier
	clients  map[string]*Client
	apis     map[string]*API
	secrets  *secretChecker
}

// NewIssuer makes an Issuer over shared state. Two clients with one tag are an
// error; all else in Config comes checked.
func NewIssuer(cfg Config, state *State) (*Issuer, error) {
	if cfg.Proofs == nil {
		cfg.Proofs = NewProofs(cfg.Clock)
	}
	i := &Issuer{
		cfg:     cfg,
		state:   state,
		clients: make(map[string]*Client, len(cfg.Clients)),
		apis:    make(map[string]*API, len(cfg.APIs)),
		secrets: newSecretChecker(cfg.Clients, cfg.CompareHash, cfg.Clock, state.secretWork),
		verifier: NewVerifier(VerifierConfig{
			Issuer: cfg.Issuer,
			Keys:   state.Keys,
			Cache:  state.Cache,
			Clock:  cfg.Clock,
			Own:    state.storeTime(cfg.Clock),
			Leeway: DefaultLeeway,
		}),
	}
	for _, a := range cfg.APIs {
		i.apis[a.Identifier] = a
	}
	tags := make(map[ClientTag]string, len(cfg.Clients))
	for _, c := range cfg.Clients {
		c.tag = TagClient(c.ID)
		if other, taken := tags[c.tag]; taken {
			return nil, fmt.Errorf("clients %q and %q have the same 64-bit tag: rename one of them", other, c.ID)
		}
		tags[c.tag] = c.ID
		i.clients[c.ID] = c
	}
	return i, nil
}

// Client returns a registered client.
func (i *Issuer) Client(id string) (*Client, bool) {
	c, ok := i.clients[id]
	return c, ok
}

// API returns a configured API by its identifier.
func (i *Issuer) API(identifier string) (*API, bool) {
	a, ok := i.apis[identifier]
	return a, ok
}

// Clients returns all clients, in the order of the configuration.
func (i *Issuer) Clients() []*Client { return i.cfg.Clients }

// APIs returns all APIs, in the order of the configuration.
func (i *Issuer) APIs() []*API { return i.cfg.APIs }

// CheckAccess verifies an access token of this gateway and asks the denylist.
// It is what a guarded route calls; audience, scope and claims are the
// caller's rules. Errors: InvalidToken, or TemporarilyUnavailable when the
// denylist cannot answer.
func (i *Issuer) CheckAccess(ctx context.Context, token string) (*Claims, error) {
	claims, err := i.verifier.Verify(token)
	if err != nil {
		return nil, err
	}
	if err := i.state.Denylist.Check(ctx, claims); err != nil {
		return nil, err
	}
	return claims, nil
}

func (i *Issuer) observe(ctx context.Context, e Event) { i.cfg.Observer.Happened(ctx, e) }

// random16 returns 128 random bits.
func (i *Issuer) random16() (b [16]byte, err error) {
	if _, err := io.ReadFull(i.cfg.Rand, b[:]); err != nil {
		return b, fmt.Errorf("reading randomness: %w", err)
	}
	return b, nil
}

// attempt draws the mark by which a store knows a call that is sent again.
func (i *Issuer) attempt() (Attempt, error) {
	b, err := i.random16()
	copy(b[:], i.state.node[:])
	return Attempt(b[:8]), err
}

// decisionTime bounds a store call that decides.
const decisionTime = 10 * time.Second

// decisive returns the context of a store call that decides. It does not end
// with the request: what the store has decided must be acted upon and reported,
// also when the one who asked has hung up.
func decisive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), decisionTime)
}

// noteSecret counts what was made under another secret than the minting one.
func (i *Issuer) noteSecret(ctx context.Context, number int) {
	if number > 0 {
		i.observe(ctx, Event{Kind: EventSecretFallback, Outcome: OutcomePresented})
	}
}
