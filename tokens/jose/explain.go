package jose

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// refusedMembers are the members of a header that change what is signed, or that
// bring or name a key. See ParseHeader.
var refusedMembers = []string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "p2c", "p2s"}

// Explained is what a token that was refused says of itself.
type Explained struct {
	Issuer string
	Claims []string // those of the names asked for that it has
}

// Explain says why ParseCompact, or reading the payload as one object, refuses a token:
// for the log, and by a reason for metrics. It decides nothing, and is for tokens that
// were refused. Else it returns the issuer and which of the claims there are.
func Explain(token string, claims ...string) (found Explained, why *oauth.Error) {
	if len(token) > oauth.MaxTokenBytes {
		return found, explained(oauth.ReasonTooLarge, fmt.Errorf("the token has %d bytes, more than %d", len(token), oauth.MaxTokenBytes))
	}
	rawHeader, c, err := SplitCompact(token)
	if err != nil {
		return found, explained(oauth.ReasonMalformed, errors.New("it is not a signed JWT: three parts of base64url with dots between them"))
	}
	refused := ""
	err = eachMember(rawHeader, func(name string, r *JSONReader) error {
		if refused == "" && slices.Contains(refusedMembers, name) {
			refused = name
		}
		return r.Skip()
	})
	switch {
	case err != nil:
		return found, explainJSON("header", err)
	case refused != "":
		return found, explained(oauth.ReasonTokenHeader, fmt.Errorf("the header has %s: keys are found by kid alone, among those of the issuer", refused))
	}
	if _, err := ParseHeader(rawHeader); err != nil {
		return found, explained(oauth.ReasonTokenHeader, errors.New("the header has no alg, or alg, kid or typ is no string"))
	}
	err = eachMember(c.Payload, func(name string, r *JSONReader) (err error) {
		if slices.Contains(claims, name) {
			found.Claims = append(found.Claims, name)
		}
		if name != "iss" {
			return r.Skip()
		}
		if found.Issuer, err = r.String(); err != nil {
			return errIssuerType
		}
		return nil
	})
	switch {
	case errors.Is(err, errIssuerType):
		return found, explained(oauth.ReasonClaim, err)
	case err != nil:
		return found, explainJSON("payload", err)
	}
	return found, nil
}

var errIssuerType = errors.New("the claim iss is no string")

func explained(reason oauth.Reason, cause error) *oauth.Error {
	e := oauth.BadToken(reason)
	e.Cause = cause
	return e
}

func explainJSON(part string, err error) *oauth.Error {
	if errors.Is(err, ErrMembers) {
		return explained(oauth.ReasonTooLarge, fmt.Errorf("the %s has more than %d members", part, maxJSONMembers))
	}
	return explained(oauth.ReasonMalformed, fmt.Errorf("the %s is not one JSON object, has a member twice, or goes beyond a bound", part))
}

// eachMember reads an object, each value by a function.
func eachMember(object []byte, read func(name string, r *JSONReader) error) error {
	r, err := ReadJSON(object)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		name, err := r.Next()
		if err != nil {
			return err
		}
		if name == nil {
			return r.End()
		}
		if err := read(string(name), r); err != nil {
			return err
		}
	}
}
