package clients

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// AssertionTypeJWT is the client_assertion_type of private_key_jwt. See RFC 7523 §2.2.
const AssertionTypeJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// maxAssertionLife is how far ahead an assertion may expire: as far as libraries date
// them by default, and so long is a used one remembered.
const maxAssertionLife = time.Hour

// maxAssertionKeys is how many keys are tried for one assertion.
const maxAssertionKeys = 10

// maxAssertionAudiences bounds what is read, not what is taken.
const maxAssertionAudiences = 10

// Keys are the public keys of a client that authenticates by assertions
// that it signs: private_key_jwt of OpenID Connect Core §9.
type Keys struct {
	Fixed  []*jose.PublicKey // several overlap while a key is rotated
	Remote *jwks.Remote      // at the client's jwks_uri; nil for none
	// Published are those of a client that is known by its document; nil for another.
	Published *clientdoc.Keys
	// Algorithm is the one that its assertions are signed with; "" for that of each key.
	Algorithm jose.Algorithm
	// IssuerAudience takes assertions for the issuer alone, which is then one text, and
	// not those for the URL of an endpoint. See draft-ietf-oauth-rfc7523bis §4.
	IssuerAudience bool
}

// any reports whether the client has keys.
func (k *Keys) any() bool { return len(k.Fixed) > 0 || k.Remote != nil || k.Published != nil }

// assertion is what a client says of itself, as yet unverified.
type assertion struct {
	jws                         jose.Compact
	issuer, subject, id         string
	audience                    []string
	audienceIsText              bool
	expiry, issuedAt, notBefore time.Time
}

// AssertionClient returns the client that an assertion claims to be of, "" for
// none. Nothing of it is verified.
func AssertionClient(text string) string {
	a, err := parseAssertion(text)
	if err != nil {
		return ""
	}
	return a.subject
}

// parseAssertion reads the form of an assertion and its claims, strictly.
func parseAssertion(text string) (a assertion, err error) {
	if a.jws, err = jose.ParseCompact(text); err != nil {
		return a, errors.New("it is not a well-formed signed JWT, or it brings its own key")
	}
	r, err := jose.ReadJSON(a.jws.Payload)
	if err != nil {
		return a, errors.New("the payload is not a JSON object")
	}
	defer r.Close()
	for {
		name, err := r.Next()
		if err != nil {
			return a, errors.New("the payload is malformed")
		}
		if name == nil {
			break
		}
		if err := a.read(string(name), r); err != nil {
			return a, fmt.Errorf("the claim %.20q has the wrong type", name)
		}
	}
	if r.End() != nil {
		return a, errors.New("the payload is malformed")
	}
	return a, nil
}

// read reads the value of one claim. See RFC 7523 §3.
func (a *assertion) read(name string, r *jose.JSONReader) (err error) {
	switch name {
	case "iss":
		a.issuer, err = r.String()
	case "sub":
		a.subject, err = r.String()
	case "aud":
		a.audienceIsText = r.IsString()
		a.audience, err = r.StringList(nil, maxAssertionAudiences)
	case "jti":
		a.id, err = r.String()
	case "exp":
		a.expiry, err = r.NumericDate()
	case "iat":
		a.issuedAt, err = r.NumericDate()
	case "nbf":
		a.notBefore, err = r.NumericDate()
	default:
		err = r.Skip()
	}
	return err
}

// byAssertion finds the client that an assertion is of and checks it: the
// signature by one of the client's own keys, what it says of itself, and last
// that it was never used. See RFC 7521 §4.2, RFC 7523 §3.
//
// A repeated jti is refused, even if the client itself repeats it: SDKs sign a new
// assertion for each request, so no honest retry looks like a replay.
func (a *Authenticator) byAssertion(ctx context.Context, cr Credentials) (*Client, error) {
	shown, err := parseAssertion(cr.Assertion)
	if err != nil {
		return nil, a.Refuse(ctx, nil, oauth.ReasonBadAssertion, err)
	}
	c, err := a.cfg.Clients.Signing(ctx, shown.subject, clientdoc.Visitor{Network: cr.Address})
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, a.refuseUnknown(ctx, shown.subject)
	case err != nil:
		return nil, err
	case cr.ClientID != "" && cr.ClientID != c.ID:
		return nil, a.Refuse(ctx, c, oauth.ReasonBadAssertion, errors.New("the client_id of the request differs from the sub of the assertion"))
	case !c.Keys.any():
		return nil, a.refuseMethod(ctx, c, cr.Method)
	}
	now := a.cfg.Clock()
	option, number, err := c.Keys.verify(shown.jws, now)
	switch {
	case errors.Is(err, errNoClientKeys):
		return nil, err
	case err != nil:
		return nil, a.Refuse(ctx, c, oauth.ReasonBadSignature, err)
	}
	if err := cmp.Or(shown.check(now), shown.checkAudience(a.cfg.Issuer, c.Keys.IssuerAudience, cr.Endpoints)); err != nil {
		return nil, a.Refuse(ctx, c, oauth.ReasonBadAssertion, err)
	}
	if err := a.useAssertion(ctx, c, shown); err != nil {
		return nil, err
	}
	a.noteCredential(ctx, c, option, number)
	return c, nil
}

// checkAudience wants one audience: with another beside it, that other could use the
// assertion here. It is the issuer, or the URL of the endpoint that is called (RFC 7523
// §3, OpenID Connect Core §9, RFC 9126 §2). A client that works with several servers is
// better off with the issuer alone: one of them could name our endpoint as its own, and
// use here what it was given (draft-ietf-oauth-rfc7523bis §1).
func (a *assertion) checkAudience(issuer string, issuerAlone bool, endpoints []string) error {
	switch {
	case len(a.audience) != 1:
		return fmt.Errorf("its aud has %d values: it takes one, the issuer %s", len(a.audience), issuer)
	case a.audience[0] == issuer && (a.audienceIsText || !issuerAlone):
		return nil
	case issuerAlone:
		return fmt.Errorf("its aud is %.200q, and this client's has to be the text %s", a.audience, issuer)
	case slices.Contains(endpoints, a.audience[0]):
		return nil
	}
	return fmt.Errorf("its aud is %.200q, and has to be the issuer %s or the URL of the endpoint", a.audience[0], issuer)
}

// check holds the other claims of an assertion against the time. See RFC 7523 §3.
func (a *assertion) check(now time.Time) error {
	ahead := now.Add(oauth.DefaultLeeway)
	switch {
	case !a.jws.Header.TypeIs("JWT") && !a.jws.Header.TypeIs("client-authentication+jwt") && a.jws.Header.Typ != "":
		return errors.New("its typ is that of another kind of token")
	case a.issuer != a.subject:
		return errors.New("its iss is not its sub, the client_id")
	case a.id == "":
		return errors.New("it has no jti")
	case a.expiry.IsZero():
		return errors.New("it has no exp")
	case !now.Before(a.expiry.Add(oauth.DefaultLeeway)):
		return errors.New("it has expired")
	case a.expiry.After(ahead.Add(maxAssertionLife)):
		return fmt.Errorf("its exp is more than %s ahead", maxAssertionLife)
	case a.issuedAt.After(ahead) || a.notBefore.After(ahead):
		return errors.New("its iat or nbf lies in the future")
	}
	return nil
}

// useAssertion lets the store decide whether the assertion is used for the first time.
func (a *Authenticator) useAssertion(ctx context.Context, c *Client, shown assertion) error {
	call, done := storage.Decisive(ctx)
	defer done()
	outcome, err := a.cfg.Assertions.UseAssertion(call, storage.AssertionRequest{
		ID: storage.AssertionIDOf(c.ID, shown.id), Until: shown.expiry.Add(oauth.DefaultLeeway), Attempt: a.cfg.NewAttempt(),
	})
	switch {
	case err != nil:
		return oauth.Unavailable(fmt.Errorf("using up a client assertion: %w", err))
	case outcome == storage.AssertionUsed:
		return a.Refuse(ctx, c, oauth.ReasonReplayed, errors.New("the jti was used before"))
	case outcome == storage.AssertionOver:
		return a.Refuse(ctx, c, oauth.ReasonBadAssertion, errors.New("it has expired by the clock of the store"))
	}
	return nil
}

// errNoClientKeys says that nobody can know whether the assertion is good before the
// client's jwks_uri has been fetched.
var errNoClientKeys = &oauth.Error{
	Code:        oauth.TemporarilyUnavailable,
	Reason:      oauth.ReasonIssuerKeys,
	Description: "The service is temporarily unavailable. Try again shortly.",
	RetryAfter:  2 * time.Second,
}

var errNoKeyVerifies = errors.New("no key of the client verifies it")

// verify finds the key that has signed, and says by which option and number of
// the configuration it is known. The algorithm is the key's own; the header
// only has to agree (RFC 8725 §3.1).
func (k *Keys) verify(t jose.Compact, now time.Time) (option string, number int, err error) {
	if n := k.tryKeys(k.Fixed, t); n > 0 {
		return "public_key", n, nil
	}
	if k.Published != nil {
		return "jwks", 1, k.verifyPublished(t)
	}
	if k.Remote == nil {
		return "", 0, errNoKeyVerifies
	}
	held := k.Remote.Trusted(now)
	if held == nil {
		k.Remote.Start()
		k.Remote.Missing()
		return "", 0, errNoClientKeys
	}
	if k.tryKeys(held.Set.Keys(), t) > 0 {
		return "jwks_uri", 1, nil
	}
	if t.Header.Kid != "" { // the key is new, or there is a new one under an old ID
		k.Remote.Missing()
	}
	return "", 0, errNoKeyVerifies
}

// verifyPublished is verify for a client that is known by its document. Where a key is new the
// client is asked to come again: what refuses it would make it forget who it is.
func (k *Keys) verifyPublished(t jose.Compact) error {
	keys := k.Published.Trusted()
	switch {
	case k.tryKeys(keys, t) > 0:
		return nil
	case len(keys) == 0:
		k.Published.Missing()
		return errNoClientKeys
	case t.Header.Kid != "" && !slices.ContainsFunc(keys, func(key *jose.PublicKey) bool { return key.ID() == t.Header.Kid }) && k.Published.Missing():
		return errNoClientKeys
	}
	return errNoKeyVerifies
}

// tryKeys returns the number of the key that verifies, from 1, or 0. A key
// with an ID answers to this kid or to none, one without to any.
func (k *Keys) tryKeys(keys []*jose.PublicKey, t jose.Compact) int {
	tried := 0
	for n, key := range keys {
		switch {
		case !key.Algorithm().Is(t.Header.Alg), k.Algorithm != "" && k.Algorithm != key.Algorithm():
			continue
		case key.ID() != "" && t.Header.Kid != "" && key.ID() != t.Header.Kid:
			continue
		case tried == maxAssertionKeys:
			return 0
		}
		if tried++; key.VerifySignature([]byte(t.Signed), t.Signature) == nil {
			return n + 1
		}
	}
	return 0
}
