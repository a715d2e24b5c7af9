package verify

import (
	"errors"
	"fmt"
	"slices"
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
	// ScopeClaims are the claims whose values together are the scope: texts
	// with spaces, or lists. None is `scope` as a text, else `scp` as either.
	ScopeClaims []string
	// SubjectClaim is the claim that names the user; "" is sub.
	SubjectClaim string
	// Claims are those that are believed, beside the ones that the check itself
	// reads; the others are as though absent. None is all.
	Claims []string
	// MaxTokenAge refuses tokens that are made to live longer; 0 is no bound.
	MaxTokenAge time.Duration
}

// Foreign verifies the access tokens of one other issuer, with its keys alone.
// Safe for concurrent use.
type Foreign struct {
	cfg ForeignConfig
	// profile is how the claims were read. Those that another route has put
	// into the cache are not good here unless it has read them in the same way.
	profile unique.Handle[string]
}

// NewForeign makes a Foreign. It does no I/O.
func NewForeign(cfg ForeignConfig) *Foreign {
	f := &Foreign{cfg: cfg}
	f.profile = unique.Make(fmt.Sprintf("%q %q %t %q %q %q", cfg.Issuer, cfg.Algorithms, cfg.AcceptJWT, cfg.ScopeClaims, cfg.SubjectClaim, cfg.Claims))
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
	typed := t.Header.TypeIs(TypeAccessToken)
	if !typed && (!f.cfg.AcceptJWT || t.Header.Typ != "" && !t.Header.TypeIs("JWT")) {
		return nil, errWrongType
	}
	held := f.cfg.Keys.Trusted(now)
	if held == nil {
		f.cfg.Keys.Start()
		return nil, errNoIssuerKeys
	}
	// The key is found by (iss, kid), never by kid alone, and a token without a
	// kid does not get to try them all (RFC 7515 §4.1.4).
	key := held.Set.Key(t.Header.Kid)
	if key == nil {
		if t.Header.Kid != "" {
			f.cfg.Keys.Missing()
		}
		return nil, errUnknownForeignKey
	}
	if !f.allows(key) || !key.Algorithm().Is(t.Header.Alg) || key.VerifySignature([]byte(t.Signed), t.Signature) != nil {
		return nil, errBadSignature
	}
	c, err := f.readClaims(t.Payload, typed)
	if err != nil {
		return nil, err
	}
	c.key, c.profile = key, f.profile
	if err := c.requireIDToken(); err != nil { // RFC 9068 §2.2 without client_id and jti, which few issuers send
		return nil, err
	}
	if !f.shortLived(c) {
		return nil, errLongLived
	}
	c.share()
	return c, nil
}

func (f *Foreign) allows(key *jose.PublicKey) bool {
	return len(f.cfg.Algorithms) == 0 || slices.Contains(f.cfg.Algorithms, key.Algorithm())
}

func (f *Foreign) shortLived(c *Claims) bool {
	return f.cfg.MaxTokenAge == 0 || c.Expiry.Sub(c.IssuedAt) <= f.cfg.MaxTokenAge
}

// trusts reports whether cached claims would pass check now.
func (f *Foreign) trusts(c *Claims, now time.Time) bool {
	held := f.cfg.Keys.Trusted(now)
	return held != nil && c.profile == f.profile && held.Set.Key(c.key.ID()) == c.key && f.shortLived(c)
}
