package upstream

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// The bounds of ID tokens.
const (
	maxIDToken     = 128 << 10        // bytes; 200 groups of Entra are 8 KiB
	tokenLeeway    = 60 * time.Second // of exp, nbf and iat (F18)
	maxIDTokenAge  = time.Hour        // of iat: it was made for this exchange
	tenantIDClaim  = "tid"
	maxAudiences   = 32
	accessTokenTyp = "at+jwt"
	logoutTokenTyp = "logout+jwt"
)

// idTokenCheck is what an ID token has to fit to.
type idTokenCheck struct {
	accessToken string           // that came with it
	departure   *login.Departure // whose nonce it has; nil where it is of a refresh
}

// checkIDToken checks an ID token of the token endpoint and returns its claims. The
// signature, iss and aud are go-oidc's to check, over our own keys; the rest is here.
// See OpenID Connect Core §3.1.3.7. Errors: a *login.FailedError.
func (o *OIDC) checkIDToken(ctx context.Context, doc *metadata, raw string, want idTokenCheck) (map[string]any, error) {
	token, err := jose.ReadCompact(raw, maxIDToken)
	if err != nil || token.Header.TypeIs(accessTokenTyp) || token.Header.TypeIs(logoutTokenTyp) {
		return nil, forged(reasonIDToken, "reading ID token: it is no signed token of at most %d bytes", maxIDToken)
	}
	allowed := o.cfg.algorithms(doc)
	if !slices.ContainsFunc(allowed, func(a jose.Algorithm) bool { return a.Is(token.Header.Alg) }) {
		return nil, forged(reasonAlgorithm, "checking ID token: it is signed by %s, and %q may be: `algorithms` names others", providerText(token.Header.Alg), allowed)
	}
	claims, err := readObject(token.Payload)
	if err != nil {
		return nil, forged(reasonIDToken, "reading ID token: %w", err)
	}
	issuer, err := o.cfg.tokenIssuer(claims)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(o.cfg.checkParty(claims), checkHash(token.Header.Alg, claims, want.accessToken), checkSubject(claims)); err != nil {
		return nil, asFailed(err, reasonIDToken) // the first of them
	}
	keys := &keySet{of: o, issuer: issuer, tenant: textOf(claims[tenantIDClaim])}
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID:             o.cfg.ClientID,
		SupportedSigningAlgs: []string{token.Header.Alg}, // which is allowed
		SkipExpiryCheck:      true,                       // see checkTimes
	})
	if _, err := verifier.Verify(ctx, raw); err != nil {
		if keys.err != nil {
			return nil, keys.err
		}
		return nil, forged(reasonIDToken, "checking ID token: a member has the wrong type")
	}
	if d := want.departure; d != nil && !o.cfg.NoNonce && (d.Nonce == "" || subtle.ConstantTimeCompare([]byte(textOf(claims["nonce"])), []byte(d.Nonce)) != 1) {
		return nil, forged(reasonNonce, "checking ID token: the nonce is not the one that was sent; `nonce off` is for providers that have none")
	}
	return claims, o.checkTimes(claims)
}

// tokenIssuer returns the iss of a token where it is this provider's: byte for byte as
// configured, its alias, or of a tenant that may come and that the token is of.
func (c *Config) tokenIssuer(claims map[string]any) (string, error) {
	iss := textOf(claims["iss"])
	switch {
	case len(c.Tenants) > 0:
		tenant := textOf(claims[tenantIDClaim])
		if slices.Contains(c.Tenants, tenant) && iss == strings.ReplaceAll(c.Issuer, tenantMark, tenant) {
			return iss, nil
		}
		return "", forged(reasonTokenIssuer, "checking ID token: it is of tenant %q, issuer %q: `tenants` names those that may come", providerText(tenant), providerText(iss))
	case iss == c.Issuer, c.IssuerAlias != "" && iss == c.IssuerAlias:
		return iss, nil
	}
	return "", forged(reasonTokenIssuer, "checking ID token: its issuer is %q, not %q", providerText(iss), c.Issuer)
}

// checkParty checks for whom the token is: aud once more, with exact names, and azp.
func (c *Config) checkParty(claims map[string]any) error {
	audiences, ok := textsOf(claims["aud"])
	if !ok || len(audiences) > maxAudiences || !slices.Contains(audiences, c.ClientID) {
		return forged(reasonAudience, "checking ID token: its audience is not %s", c.ClientID)
	}
	azp, there := claims["azp"]
	if there && textOf(azp) != c.ClientID || !there && len(audiences) > 1 {
		return forged(reasonAudience, "checking ID token: of its audiences it was made for another than %s, or does not say", c.ClientID)
	}
	return nil
}

// checkHash checks at_hash where it is there (OpenID Connect Core §3.1.3.6).
func checkHash(alg string, claims map[string]any, accessToken string) error {
	want, there := claims["at_hash"]
	if !there || accessToken == "" {
		return nil
	}
	var sum []byte
	switch {
	case strings.HasSuffix(alg, "256"):
		h := sha256.Sum256([]byte(accessToken))
		sum = h[:]
	case strings.HasSuffix(alg, "384"):
		h := sha512.Sum384([]byte(accessToken))
		sum = h[:]
	default: // 512, and Ed25519
		h := sha512.Sum512([]byte(accessToken))
		sum = h[:]
	}
	if textOf(want) != base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]) {
		return forged(reasonHash, "checking ID token: at_hash is of another access token")
	}
	return nil
}

// checkSubject makes sure that the token says who it is about (F27).
func checkSubject(claims map[string]any) error {
	if !goodID(textOf(claims["sub"])) {
		return forged(reasonSubject, "checking ID token: sub is no text of 1 to %d bytes without controls", maxSubject)
	}
	return nil
}

// checkTimes checks exp, nbf and iat, and says how the clocks differ where they do not fit.
func (o *OIDC) checkTimes(claims map[string]any) error {
	now := o.cfg.Clock()
	exp, iat, nbf := timeOf(claims["exp"]), timeOf(claims["iat"]), timeOf(claims["nbf"])
	var what string
	switch {
	case exp.IsZero() || iat.IsZero():
		what = "it does not say when it was made and when it ends"
	case now.After(exp.Add(tokenLeeway)):
		what = "it has ended " + now.Sub(exp).Round(time.Second).String() + " ago"
	case iat.After(now.Add(tokenLeeway)):
		what = "it was made in " + iat.Sub(now).Round(time.Second).String()
	case nbf.After(now.Add(tokenLeeway)):
		what = "it begins in " + nbf.Sub(now).Round(time.Second).String()
	case now.Sub(iat) > maxIDTokenAge:
		what = "it was made " + now.Sub(iat).Round(time.Second).String() + " ago"
	default:
		return nil
	}
	return forged(reasonTime, "checking ID token: %s; %s", what, aheadText(o.clock.value()))
}

// tellIDToken tells the operator of an ID token that is not good: it has come from the
// provider itself. One for another departure a stranger can bring about.
func (o *OIDC) tellIDToken(ctx context.Context, err error) {
	f := asFailed(err, reasonIDToken)
	if f.Failure == login.FailedForged && f.Reason != reasonNonce {
		o.health.tell(ctx, oauth.LoginBadIDToken, fmt.Errorf("signing in: %w", f.Cause))
	}
}
