package upstream

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// The bounds of logout tokens (H8).
const (
	maxLogoutToken = 8 << 10         // bytes
	maxLogoutAge   = 5 * time.Minute // of iat, on either side
	maxEvents      = 16
)

// backChannelEvent is the event that makes a token a logout token (OpenID Connect
// Back-Channel Logout §2.4).
const backChannelEvent = "http://schemas.openid.net/event/backchannel-logout"

// ReadLogout implements login.SignOuts. All that needs no key is checked first, in the order
// of what it costs. No jti is kept, since the end of what began by a certain time is the same
// however often it is told.
func (o *OIDC) ReadLogout(ctx context.Context, raw string) (*login.SignedOut, error) {
	doc, err := o.document()
	if err != nil {
		return nil, err
	}
	if _, ok := o.source.(openID); !ok {
		return nil, forged(reasonLogoutToken, "reading logout token: this provider sends none")
	}
	token, claims, err := readLogoutToken(raw)
	if err != nil {
		return nil, err
	}
	if allowed := o.cfg.algorithms(doc); !slices.ContainsFunc(allowed, func(a jose.Algorithm) bool { return a.Is(token.Header.Alg) }) {
		return nil, forged(reasonAlgorithm, "checking logout token: it is signed by %s, and %q may be: `algorithms` names others", providerText(token.Header.Alg), allowed)
	}
	issuer, err := o.cfg.tokenIssuer(claims)
	if err != nil {
		return nil, err
	}
	if audiences, ok := textsOf(claims["aud"]); !ok || len(audiences) > maxAudiences || !slices.Contains(audiences, o.cfg.ClientID) {
		return nil, forged(reasonAudience, "checking logout token: its audience is not %s", o.cfg.ClientID)
	}
	out, err := signedOutOf(claims)
	if err != nil {
		return nil, err
	}
	if out.At, err = o.logoutTime(claims); err != nil {
		return nil, err
	}
	leave, err := o.signOuts.enter(o.cfg.Clock())
	if err != nil {
		return nil, err
	}
	defer leave()
	keys := &keySet{of: o, issuer: issuer, tenant: textOf(claims[tenantIDClaim]), fresh: o.signOuts.fresh, made: out.At}
	if err := keys.verify(ctx, token); err != nil {
		return nil, err
	}
	out.ByID = slices.Equal(o.cfg.Subject, []string{"sub"})
	return out, nil
}

// readLogoutToken reads the form of a logout token. Its typ may be the one of its own, that
// of any JWT, or none: most providers send no other.
func readLogoutToken(raw string) (jose.Compact, map[string]any, error) {
	token, err := jose.ReadCompact(raw, maxLogoutToken)
	if err != nil {
		return token, nil, forged(reasonLogoutToken, "reading logout token: it is no signed token of at most %d bytes", maxLogoutToken)
	}
	if h := token.Header; h.Typ != "" && !h.TypeIs(logoutTokenTyp) && !h.TypeIs("JWT") {
		return token, nil, forged(reasonLogoutToken, "reading logout token: its typ is %q", providerText(h.Typ))
	}
	claims, err := readObject(token.Payload)
	if err != nil {
		return token, nil, forged(reasonLogoutToken, "reading logout token: %w", err)
	}
	return token, claims, nil
}

// signedOutOf reads who is signed out. An ID token, an access token and a security event of
// another kind end here. See OpenID Connect Back-Channel Logout §2.6.
func signedOutOf(claims map[string]any) (*login.SignedOut, error) {
	events, ok := claims["events"].(map[string]any)
	event, there := events[backChannelEvent]
	if _, object := event.(map[string]any); !ok || !there || !object || len(events) > maxEvents {
		return nil, forged(reasonLogoutToken, "checking logout token: it holds no event of a logout")
	}
	if textOf(claims["jti"]) == "" {
		return nil, forged(reasonLogoutToken, "checking logout token: it has no jti")
	}
	if _, there := claims["nonce"]; there {
		return nil, forged(reasonNonce, "checking logout token: it has a nonce, as ID tokens have and logout tokens must not")
	}
	out := new(login.SignedOut)
	for name, to := range map[string]*string{"sub": &out.Subject, "sid": &out.Session} {
		value, there := claims[name]
		if *to = textOf(value); there && !goodID(*to) {
			return nil, forged(reasonSubject, "checking logout token: %s is no text of 1 to %d bytes without controls", name, maxSubject)
		}
	}
	if notASession(out.Session) {
		out.Session = ""
	}
	if out.Subject == "" && out.Session == "" {
		return nil, forged(reasonSubject, "checking logout token: it names neither a session nor a person")
	}
	return out, nil
}

// logoutTime returns when a logout token was made, which may not be long ago, and checks its
// exp where it has one. OpenID Connect Back-Channel Logout §2.4 asks for it since 2023 only:
// Keycloak before 23.0.4 (keycloak#25753), authentik before 2025.8.2 (authentik#16490), Ory
// Hydra (hydra#4035) and LemonLDAP send none, and iat says more.
func (o *OIDC) logoutTime(claims map[string]any) (time.Time, error) {
	now := o.cfg.Clock()
	iat, exp := timeOf(claims["iat"]), timeOf(claims["exp"])
	_, ends := claims["exp"]
	switch age := now.Sub(iat); {
	case iat.IsZero():
		return iat, forged(reasonTime, "checking logout token: it does not say when it was made")
	case age > maxLogoutAge || age < -maxLogoutAge:
		return iat, forged(reasonTime, "checking logout token: it was made %s ago; %s", age.Round(time.Second), aheadText(o.clock.value()))
	case ends && now.After(exp.Add(tokenLeeway)):
		return iat, forged(reasonTime, "checking logout token: it has ended; %s", aheadText(o.clock.value()))
	}
	return iat, nil
}

// ReadFrontChannel implements login.SignOuts. Nothing proves who sends it, but that a session
// of a provider cannot be guessed.
func (o *OIDC) ReadFrontChannel(issuer, session string) (*login.SignedOut, error) {
	if !o.issuedBy(issuer) || !goodID(session) || notASession(session) {
		return nil, forged(reasonIssuer, "reading sign-out by the browser: it names no session of %s", o.cfg.Issuer)
	}
	if err := o.signOuts.enterFront(o.cfg.Clock()); err != nil {
		return nil, err
	}
	return &login.SignedOut{Session: session, At: o.cfg.Clock()}, nil
}

// issuedBy reports whether an issuer is this provider's: of any tenant that may come.
func (o *OIDC) issuedBy(issuer string) bool {
	if slices.ContainsFunc(o.cfg.Tenants, func(tenant string) bool { return issuer == strings.ReplaceAll(o.cfg.Issuer, tenantMark, tenant) }) {
		return true
	}
	return issuer == o.cfg.Issuer || o.cfg.IssuerAlias != "" && issuer == o.cfg.IssuerAlias
}
