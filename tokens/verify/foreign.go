package verify

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// ForeignConfig says what is believed of the access tokens of another issuer.
type ForeignConfig struct {
	Issuer string // compared with iss byte for byte (RFC 8725 §3.8)
	Keys   *jwks.Remote
	// Algorithms that its keys may be for; none for those that they name.
	Algorithms []jose.Algorithm
	// AcceptJWT takes typ JWT, or none, besides at+jwt.
	AcceptJWT bool
	// AcceptIDTokens takes ID tokens too, and what has a claim of theirs.
	AcceptIDTokens bool
	// AudienceClaims are the claims that name whom the token is for: the first of them
	// that says something. None is aud.
	AudienceClaims []string
	// ScopeClaims are the claims whose values together are the scope: texts
	// with spaces, or lists. None is `scope` as a text, else `scp` as either.
	ScopeClaims []string
	// SubjectClaims are the claims that name the user: the first of them that is
	// there. None is sub.
	SubjectClaims []string
	// Claims are those that are believed, beside the ones that the check itself
	// reads; the others are as though absent. None is all.
	Claims []string
	// MaxTokenAge refuses tokens that are made to live longer; 0 is no bound.
	MaxTokenAge time.Duration
	// MaxTokenBytes and MaxTokenMembers bound its tokens, the latter on all levels
	// together; 0 is oauth.MaxTokenBytes and jose.MaxJSONMembers.
	MaxTokenBytes, MaxTokenMembers int
	// Leeway is how far its clock may differ from ours; 0 is strict, and
	// oauth.MaxLeeway the most.
	Leeway time.Duration
	// SharesKeys says that other issuers have the same key set: a key that names
	// one of them is not for this one.
	SharesKeys bool
}

// Foreign verifies the access tokens of one other issuer, with its keys alone.
// Safe for concurrent use.
type Foreign struct {
	cfg ForeignConfig
	// profile is how the claims were read. Those that another route has put
	// into the cache are not good here unless it has read them in the same way.
	profile unique.Handle[string]

	noSubject, noAudience *oauth.Error // the refusals of tokens without
}

// NewForeign makes a Foreign. It does no I/O.
func NewForeign(cfg ForeignConfig) *Foreign {
	cfg.MaxTokenBytes = cmp.Or(cfg.MaxTokenBytes, oauth.MaxTokenBytes)
	cfg.MaxTokenMembers = cmp.Or(cfg.MaxTokenMembers, jose.MaxJSONMembers)
	cfg.Leeway = min(max(cfg.Leeway, 0), oauth.MaxLeeway)
	if len(cfg.AudienceClaims) == 0 {
		cfg.AudienceClaims = []string{"aud"}
	}
	if len(cfg.SubjectClaims) == 0 {
		cfg.SubjectClaims = []string{"sub"}
	}
	f := &Foreign{
		cfg:        cfg,
		noSubject:  because(oauth.ReasonClaim, fmt.Errorf("the token has no %s: subject_claim names other claims", strings.Join(cfg.SubjectClaims, ", "))),
		noAudience: because(oauth.ReasonWrongAudience, fmt.Errorf("the token has no %s: audience_claim names other claims", strings.Join(cfg.AudienceClaims, ", "))),
	}
	f.profile = unique.Make(fmt.Sprintf("%q %q %t %t %q %q %q %q %d %d %s %t", cfg.Issuer, cfg.Algorithms, cfg.AcceptJWT, cfg.AcceptIDTokens,
		cfg.AudienceClaims, cfg.ScopeClaims, cfg.SubjectClaims, cfg.Claims, cfg.MaxTokenBytes, cfg.MaxTokenMembers, cfg.Leeway, cfg.SharesKeys))
	return f
}

// Issuer returns the issuer's identifier.
func (f *Foreign) Issuer() string { return f.cfg.Issuer }

// errNoIssuerKeys says that nobody can know now whether the token is good:
// the first fetch is under way, or none has succeeded for jwks.MaxKeyStale.
var errNoIssuerKeys = &oauth.Error{
	Code:        oauth.TemporarilyUnavailable,
	Reason:      oauth.ReasonIssuerKeys,
	Description: "The service is temporarily unavailable. Try again shortly.",
	RetryAfter:  2 * time.Second,
}

// errUnknownForeignKey is errUnknownKey of another issuer, which opening our
// store cannot fix.
var errUnknownForeignKey = oauth.BadToken(oauth.ReasonUnknownKey)

// errLongLived refuses a token that is made to live for longer than is believed.
var errLongLived = because(oauth.ReasonClaim, errors.New("from iat to exp it is longer than max_token_age"))

// check verifies a token that names this issuer: type, key, algorithm,
// signature, claims. See RFC 8725 §3 and RFC 9068 §4.
func (f *Foreign) check(t jose.Compact, now time.Time) (*Claims, error) {
	if len(t.Signed)+1+base64.RawURLEncoding.EncodedLen(len(t.Signature)) > f.cfg.MaxTokenBytes {
		return nil, errTooLarge
	}
	typed := t.Header.TypeIs(TypeAccessToken)
	if !typed && (!f.cfg.AcceptJWT || t.Header.Typ != "" && !t.Header.TypeIs("JWT")) {
		return nil, errWrongType
	}
	held := f.cfg.Keys.Trusted(now)
	if held == nil {
		f.cfg.Keys.Start()
		f.cfg.Keys.Missing()
		return nil, errNoIssuerKeys
	}
	key, err := f.findKey(held.Set, t)
	if err != nil {
		return nil, err
	}
	c, err := f.readClaims(t.Payload, typed)
	if err != nil {
		return nil, err
	}
	c.key, c.profile, c.leeway = key, f.profile, f.cfg.Leeway
	switch {
	case c.Subject == "":
		return nil, f.noSubject
	case len(c.Audience) == 0:
		return nil, f.noAudience
	}
	if err := c.requireIDToken(); err != nil { // RFC 9068 §2.2 without client_id and jti, which few issuers send
		return nil, err
	}
	if !f.shortLived(c) {
		return nil, errLongLived
	}
	c.share()
	return c, nil
}

// findKey finds the key that has signed a token: by issuer, kid and alg, never by kid
// alone. The algorithm is the key's own (RFC 8725 §3.1). Where none has, a fetch is
// brought forward: the key is new, or there is a new one under an old kid.
func (f *Foreign) findKey(set jose.Set, t jose.Compact) (*jose.PublicKey, error) {
	candidates := set.Find(t.Header.Kid, t.Header.Alg)
	for _, key := range candidates {
		if f.allows(key) && key.VerifySignature([]byte(t.Signed), t.Signature) == nil {
			return key, nil
		}
	}
	f.cfg.Keys.Missing()
	if len(candidates) == 0 && !set.Names(t.Header.Kid) {
		return nil, errUnknownForeignKey
	}
	return nil, errBadSignature
}

// allows reports whether a key may sign tokens of this issuer. Entra says of some keys
// of its tenants which tenant they are for.
func (f *Foreign) allows(key *jose.PublicKey) bool {
	if owner := key.Issuer(); f.cfg.SharesKeys && owner != "" && owner != f.cfg.Issuer && !strings.Contains(owner, "{tenantid}") {
		return false
	}
	return len(f.cfg.Algorithms) == 0 || slices.Contains(f.cfg.Algorithms, key.Algorithm())
}

func (f *Foreign) shortLived(c *Claims) bool {
	return f.cfg.MaxTokenAge == 0 || c.Expiry.Sub(c.IssuedAt) <= f.cfg.MaxTokenAge
}

// trusts reports whether cached claims would pass check now.
func (f *Foreign) trusts(c *Claims, now time.Time) bool {
	held := f.cfg.Keys.Trusted(now)
	return held != nil && c.profile == f.profile && held.Set.Has(c.key) && f.shortLived(c)
}
