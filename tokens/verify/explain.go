package verify

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// explain finds the true reason why a token was refused, for metrics and the log: the
// checks end at the first thing that is wrong, which is often not the mistake. A token
// of an issuer that is not known says so first, whatever else is wrong with it. The
// answer to the client stays the same.
func (v *Verifier) explain(token string, err error) error {
	refusal := oauth.AsError(err)
	if refusal.Cause != nil {
		return err
	}
	switch refusal.Reason {
	case oauth.ReasonMalformed, oauth.ReasonClaim, oauth.ReasonWrongType, oauth.ReasonWrongIssuer:
	default:
		return err
	}
	found, why := jose.Explain(token, v.maxBytes, v.maxMembers, requiredClaims...)
	if why != nil {
		return why
	}
	if known := v.issuers(); !slices.Contains(known, found.Issuer) {
		return errWrongIssuer.With(oauth.Mismatch{Sent: found.Issuer, Registered: known, Option: "issuer"})
	}
	if refusal.Reason == oauth.ReasonWrongType {
		return v.explainType(token, found.Issuer)
	}
	return explainClaims(found.Claims, refusal)
}

// issuers are those whose tokens are taken.
func (v *Verifier) issuers() []string {
	known := slices.Sorted(maps.Keys(v.others))
	if v.keys != nil {
		known = append([]string{v.issuer}, known...)
	}
	return known
}

func (v *Verifier) explainType(token, issuer string) error {
	t, err := jose.ReadCompact(token, v.maxBytes)
	if err != nil { // it was read before
		return err
	}
	m := oauth.Mismatch{Sent: t.Header.Typ, Registered: []string{TypeAccessToken}}
	if v.others[issuer] != nil {
		m.Option = "typ"
	}
	return errWrongType.With(m)
}

// requiredClaims are what requireIDToken wants beside iss.
var requiredClaims = []string{"aud", "sub", "exp", "iat"}

// explainClaims names the claim that a token lacks.
func explainClaims(claims []string, refusal *oauth.Error) error {
	for _, name := range requiredClaims {
		if slices.Contains(claims, name) {
			continue
		}
		reason := oauth.ReasonClaim
		if name == "aud" {
			reason = oauth.ReasonWrongAudience
		}
		return because(reason, fmt.Errorf("the token has no %s", name))
	}
	return because(refusal.Reason, errors.New("a claim of the token is missing, of the wrong type or out of bounds"))
}
