// Package verify is the resource server's half of the core: it reads access tokens
// of this gateway and of other issuers, strictly, and keeps what it has verified
// in a Cache. It knows no grants, clients or sessions, and leaves audience, scope
// and other rules to its caller.
//
// Begin reading at Verifier, then Gate, which asks the denylist too.
// See RFC 8725 and RFC 9068 §4.
package verify

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The typ of our tokens.
const (
	TypeAccessToken = "at+jwt" // RFC 9068 §2.1
	TypeJWT         = "JWT"    // of an ID token, and of an access token in Auth0's form
)

// UseAccess is the claim token_use of access tokens whose type is TypeJWT. No other
// token of this gateway has that claim, so none passes for an access token, and they
// pass for none. See RFC 8725 §3.12.
const UseAccess = "access"

// The refusals of a Verifier, made once: they are on the hot path. The public
// text is the same for all, so that nobody learns which check failed.
var (
	errWrongType    = oauth.BadToken(oauth.ReasonWrongType)
	errUnknownKey   = oauth.BadToken(oauth.ReasonUnknownKey)
	errBadSignature = oauth.BadToken(oauth.ReasonBadSignature)
	errWrongIssuer  = oauth.BadToken(oauth.ReasonWrongIssuer)
	errClaim        = oauth.BadToken(oauth.ReasonClaim)
	errExpired      = oauth.BadToken(oauth.ReasonExpired)
	errNotYetValid  = oauth.BadToken(oauth.ReasonNotYetValid)
)

// keySource finds the key of one issuer, or nil. It gives the same pointer as
// long as the key is the same.
type keySource interface {
	Verifier(kid string) *jose.PublicKey
}

// Config is what a Verifier needs.
type Config struct {
	Issuer string           // compared byte for byte
	Keys   *keyring.Ring    // of Issuer; nil takes tokens of Others alone
	Cache  *Cache           // nil for none
	Clock  func() time.Time // nil is time.Now
	Own    func() time.Time // by which own tokens are dated; nil is Clock
	Leeway time.Duration    // 0 is strict; at most MaxLeeway
	Others []*Foreign       // whose access tokens are taken as well; none of them is Issuer
	// TagClient names the client of own tokens; nil is storage.TagClient.
	TagClient func(clientID string) storage.ClientTag
}

// Verifier checks tokens of this gateway, and of the other issuers that it is
// told of. Safe for concurrent use.
type Verifier struct {
	issuer string
	keys   keySource // nil for none
	cache  *Cache
	clock  func() time.Time
	own    func() time.Time
	leeway time.Duration
	others map[string]*Foreign // by issuer; nil for none
	tag    func(clientID string) storage.ClientTag

	maxBytes, maxMembers int // of the largest tokens that one of the issuers makes
}

// New makes a Verifier.
func New(cfg Config) *Verifier {
	v := &Verifier{
		issuer: Shared(cfg.Issuer),
		cache:  cfg.Cache,
		clock:  cfg.Clock,
		leeway: min(max(cfg.Leeway, 0), oauth.MaxLeeway),
		tag:    cfg.TagClient,

		maxBytes: oauth.MaxTokenBytes, maxMembers: jose.MaxJSONMembers,
	}
	if cfg.Keys != nil {
		v.keys = cfg.Keys
	}
	if v.clock == nil {
		v.clock = time.Now
	}
	if v.own = cfg.Own; v.own == nil {
		v.own = v.clock
	}
	if len(cfg.Others) > 0 {
		v.others = make(map[string]*Foreign, len(cfg.Others))
	}
	for _, f := range cfg.Others {
		v.others[f.Issuer()] = f
		v.maxBytes, v.maxMembers = max(v.maxBytes, f.cfg.MaxTokenBytes), max(v.maxMembers, f.cfg.MaxTokenMembers)
	}
	return v
}

// Verify checks an access token: form, type, key, algorithm, signature,
// issuer, required claims and time. Audience, scope and denylist are the
// caller's. Every error is an *oauth.Error, which may be shared and is not to be changed, with code
// oauth.InvalidToken, or oauth.TemporarilyUnavailable while another issuer's keys are not
// known. See RFC 9068 §4 and RFC 8725 §3.
func (v *Verifier) Verify(token string) (*Claims, error) {
	if len(token) > v.maxBytes {
		return nil, v.explain(token, jose.ErrMalformed)
	}
	if v.cache != nil {
		if c := v.cache.Get(token); c != nil && v.trusts(c) {
			return v.inTime(c)
		}
	}
	c, err := v.checkAccess(token)
	if err != nil {
		return nil, v.explain(token, err)
	}
	if _, err := v.inTime(c); err != nil {
		return nil, err
	}
	if v.cache != nil {
		v.cache.Put(token, c)
	}
	return c, nil
}

// VerifyIDToken checks an ID token that comes back as a hint. It may have
// expired. See OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2.
func (v *Verifier) VerifyIDToken(token string) (*Claims, error) {
	t, err := jose.ParseCompact(token)
	if err != nil {
		return nil, err
	}
	c, err := v.check(t, isIDToken)
	if err != nil {
		return nil, err
	}
	if err := c.requireIDToken(); err != nil {
		return nil, err
	}
	return c, nil
}

// checkAccess does for an access token what does not change with time.
func (v *Verifier) checkAccess(token string) (*Claims, error) {
	t, err := jose.ReadCompact(token, v.maxBytes)
	if err != nil {
		return nil, err
	}
	if v.others != nil {
		issuer, err := issuerOf(t.Payload, v.maxMembers)
		if err != nil {
			return nil, err
		}
		if f := v.others[issuer]; f != nil {
			return f.check(t, v.clock())
		}
	}
	if len(token) > oauth.MaxTokenBytes { // ours never are
		return nil, errTooLarge
	}
	c, err := v.check(t, isAccessToken)
	if err != nil {
		return nil, err
	}
	if err := c.requireAccessToken(); err != nil {
		return nil, err
	}
	return c, nil
}

// isAccessToken tells an access token by its type, or where that is the one of any
// JWT by the claim that only access tokens have.
func isAccessToken(h jose.Header, c *Claims) bool {
	return h.TypeIs(TypeAccessToken) || h.TypeIs(TypeJWT) && c.use == UseAccess
}

func isIDToken(h jose.Header, c *Claims) bool { return h.TypeIs(TypeJWT) && c.use == "" }

// check does what is the same for all tokens of this gateway.
func (v *Verifier) check(t jose.Compact, is func(jose.Header, *Claims) bool) (*Claims, error) {
	if !t.Header.TypeIs(TypeAccessToken) && !t.Header.TypeIs(TypeJWT) {
		return nil, errWrongType
	}
	c, err := parseClaims(t.Payload)
	if err != nil {
		return nil, err
	}
	if !is(t.Header, c) {
		return nil, errWrongType
	}
	if v.tag != nil {
		c.Client = v.tag(c.ClientID)
	}
	// The issuer that the token claims chooses the keys; the signature then
	// proves the claim. A key of one issuer never verifies for another. The
	// comparison is byte for byte (RFC 8725 §3.8).
	if v.keys == nil || c.Issuer != v.issuer {
		return nil, errWrongIssuer
	}
	if t.Header.NamesKey {
		return nil, errNamesKey
	}
	key := v.keys.Verifier(t.Header.Kid)
	if key == nil {
		return nil, errUnknownKey
	}
	// The algorithm is the key's. The header only has to agree (RFC 8725 §3.1).
	if t.Header.Alg != string(key.Algorithm()) || key.VerifySignature([]byte(t.Signed), t.Signature) != nil {
		return nil, errBadSignature
	}
	c.key = key
	c.share()
	return c, nil
}

// trusts reports whether cached claims would still pass: the cache is shared
// by configurations and routes with other issuers, and keys are dropped.
func (v *Verifier) trusts(c *Claims) bool {
	if c.Foreign() {
		f := v.others[c.Issuer]
		return f != nil && f.trusts(c, v.clock())
	}
	return v.keys != nil && c.Issuer == v.issuer && v.keys.Verifier(c.key.ID()) == c.key
}

// inTime checks what changes with time. See RFC 7519 §4.1.4 and §4.1.5.
func (v *Verifier) inTime(c *Claims) (*Claims, error) {
	now, leeway := v.own(), v.leeway
	if c.Foreign() {
		now, leeway = v.clock(), c.leeway
	}
	if !now.Before(c.Expiry.Add(leeway)) {
		return nil, errExpired
	}
	ahead := now.Add(leeway)
	if c.IssuedAt.After(ahead) || c.NotBefore.After(ahead) {
		return nil, errNotYetValid
	}
	return c, nil
}

// StillInTime returns nil for claims that Verify has returned while it would return
// them again, as far as their time goes.
func (v *Verifier) StillInTime(c *Claims) error {
	_, err := v.inTime(c)
	return err
}

func (v *Verifier) checkTimeAgain(c *Claims, expires bool) error {
	if !expires {
		return nil
	}
	return v.StillInTime(c)
}
