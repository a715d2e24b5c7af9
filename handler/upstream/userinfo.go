package upstream

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// askUserinfo adds what userinfo says to the facts (OpenID Connect Core §5.3). That it was
// not had is noted there; that it is forged, or about somebody else, is an error (LOG-16).
func (o *OIDC) askUserinfo(ctx context.Context, doc *metadata, accessToken string, f *facts) error {
	if doc.Userinfo == "" || o.cfg.NoUserinfo {
		return nil
	}
	f.info, f.infoErr = o.userinfo(ctx, doc, accessToken, f.token)
	if f.infoErr != nil && asFailed(f.infoErr, reasonUserinfo).Failure == login.FailedForged {
		return f.infoErr
	}
	return nil
}

// userinfo returns what userinfo says of the person of an ID token, which may be none.
func (o *OIDC) userinfo(ctx context.Context, doc *metadata, accessToken string, idToken map[string]any) (map[string]any, error) {
	text, header, err := o.getJSON(ctx, doc.Userinfo, accessToken, "application/json")
	if err != nil {
		return nil, fmt.Errorf("asking userinfo: %w", err)
	}
	if kind, _, _ := mime.ParseMediaType(header.Get("Content-Type")); kind == "application/jwt" {
		if text, err = o.signedUserinfo(ctx, doc, string(text)); err != nil {
			return nil, err
		}
	}
	info, err := readObject(text)
	if err != nil {
		return nil, errors.New("asking userinfo: the answer is not one JSON object without repeated members")
	}
	if sub := textOf(info["sub"]); sub == "" || idToken != nil && sub != textOf(idToken["sub"]) {
		return nil, forged(reasonUserinfo, "asking userinfo: it is about somebody else than the ID token")
	}
	return info, nil
}

// signedUserinfo checks userinfo that is signed and returns its claims (F25).
func (o *OIDC) signedUserinfo(ctx context.Context, doc *metadata, raw string) ([]byte, error) {
	token, err := jose.ReadCompact(raw, maxIDToken)
	if err != nil {
		return nil, forged(reasonUserinfo, "reading userinfo: it is no signed token")
	}
	if !slices.ContainsFunc(o.cfg.algorithms(doc), func(a jose.Algorithm) bool { return a.Is(token.Header.Alg) }) {
		return nil, forged(reasonUserinfo, "reading userinfo: it is signed by %s, which `algorithms` does not have", providerText(token.Header.Alg))
	}
	claims, err := readObject(token.Payload)
	if err != nil {
		return nil, forged(reasonUserinfo, "reading userinfo: %w", err)
	}
	issuer := o.cfg.Issuer
	if _, there := claims["iss"]; there {
		if issuer, err = o.cfg.tokenIssuer(claims); err != nil {
			return nil, forged(reasonUserinfo, "reading userinfo: its iss is another provider's")
		}
	}
	if aud, there := claims["aud"]; there {
		if audiences, ok := textsOf(aud); !ok || !slices.Contains(audiences, o.cfg.ClientID) {
			return nil, forged(reasonUserinfo, "reading userinfo: its aud is not %s", o.cfg.ClientID)
		}
	}
	if exp, there := claims["exp"]; there && o.cfg.Clock().After(timeOf(exp).Add(tokenLeeway)) {
		return nil, forged(reasonUserinfo, "reading userinfo: it has ended")
	}
	keys := &keySet{of: o, issuer: issuer, tenant: textOf(claims[tenantIDClaim])}
	if err := keys.verify(ctx, token); err != nil {
		if f := asFailed(err, reasonUserinfo); f.Failure != login.FailedForged {
			return nil, f
		}
		return nil, forged(reasonUserinfo, "reading userinfo: no key of the provider has signed it")
	}
	return token.Payload, nil
}
