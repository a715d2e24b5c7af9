package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// tenantMark stands in an issuer for the tenant (Entra).
const tenantMark = "{tenantid}"

// metadata is what a provider publishes of itself (OpenID Connect Discovery §3), as far
// as it is used, with the addresses of the configuration in their places.
type metadata struct {
	Issuer, Authorization, Token, Userinfo, JWKS, EndSession string

	Algorithms   []string // of ID tokens
	ClientAuths  []string // at the token endpoint
	Challenges   []string // of PKCE
	Scopes       []string
	Claims       []string
	ACRs         []string
	NamesIssuer  bool // in answers (RFC 9207 §3)
	BackChannel  bool // it tells of sign-outs by a request of its own
	FrontChannel bool // or by the browser
}

// addresses are the members that must be texts.
func (d *metadata) addresses() map[string]*string {
	return map[string]*string{
		"issuer": &d.Issuer, "authorization_endpoint": &d.Authorization, "token_endpoint": &d.Token, "userinfo_endpoint": &d.Userinfo,
		"jwks_uri": &d.JWKS, "end_session_endpoint": &d.EndSession,
	}
}

// UnmarshalJSON implements json.Unmarshaler. The names are exact. What only says what the
// provider can do is as absent where it has the wrong type.
func (d *metadata) UnmarshalJSON(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	for name, to := range d.addresses() {
		if value, ok := members[name]; ok && json.Unmarshal(value, to) != nil {
			return fmt.Errorf("%s is no text", name)
		}
	}
	for name, to := range map[string]*[]string{
		"id_token_signing_alg_values_supported": &d.Algorithms, "token_endpoint_auth_methods_supported": &d.ClientAuths,
		"code_challenge_methods_supported": &d.Challenges, "scopes_supported": &d.Scopes, "claims_supported": &d.Claims, "acr_values_supported": &d.ACRs,
	} {
		if json.Unmarshal(members[name], to) != nil {
			*to = nil
		}
	}
	for name, to := range map[string]*bool{
		"authorization_response_iss_parameter_supported": &d.NamesIssuer, "backchannel_logout_supported": &d.BackChannel, "frontchannel_logout_supported": &d.FrontChannel,
	} {
		*to = string(members[name]) == "true"
	}
	return nil
}

// errOtherIssuer says that the document is about another provider.
var errOtherIssuer = errors.New("reading discovery document: it names another issuer")

// discoveryPlace is where the document is (OpenID Connect Discovery §4). Entra has that of
// all tenants at `common`.
func discoveryPlace(issuer string) string {
	return strings.TrimSuffix(strings.ReplaceAll(issuer, tenantMark, "common"), "/") + "/.well-known/openid-configuration"
}

// discover fetches the document once.
func (c *Config) discover(ctx context.Context, client *http.Client) (*metadata, error) {
	place := discoveryPlace(c.Issuer)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, fmt.Errorf("fetching discovery document: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	text, _, err := fetch.Document(client, r)
	if err != nil {
		status, answers := errors.AsType[*fetch.StatusError](err)
		err = fmt.Errorf("fetching discovery document %s: %w", place, withoutURL(err))
		if !answers || status.Code >= http.StatusInternalServerError {
			err = noAnswerError{err}
		}
		return nil, err
	}
	return c.readDocument(text)
}

// noAnswerError is of a provider that does not answer, or only that it cannot.
type noAnswerError struct{ error }

// Unwrap returns what has become of the request.
func (e noAnswerError) Unwrap() error { return e.error }

func (c *Config) readDocument(text []byte) (*metadata, error) {
	d := new(metadata)
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), d); err != nil {
		return nil, fmt.Errorf("reading discovery document: it is not one JSON object: %w", err)
	}
	if d.Issuer != c.Issuer {
		return nil, fmt.Errorf("%w, %q in place of %q: write the issuer exactly so if it is the one", errOtherIssuer, oauth.Printable(d.Issuer), c.Issuer)
	}
	d.override(c.Endpoints)
	return d, c.checkDocument(d)
}

// override puts the addresses of the configuration in their places.
func (d *metadata) override(e Endpoints) {
	for _, pair := range []struct {
		to *string
		by string
	}{{&d.Authorization, e.Authorization}, {&d.Token, e.Token}, {&d.Userinfo, e.Userinfo}, {&d.JWKS, e.JWKS}, {&d.EndSession, e.EndSession}} {
		if pair.by != "" {
			*pair.to = pair.by
		}
	}
}

// checkDocument refuses addresses that must not be used, and what lacks one that is needed.
func (c *Config) checkDocument(d *metadata) error {
	for _, e := range []struct {
		name, address string
		needed        bool
	}{
		{"authorization", d.Authorization, true},
		{"token", d.Token, true},
		{"jwks", d.JWKS, !slices.Contains(c.Algorithms, HS256)},
		{"userinfo", d.Userinfo, false},
		{"end_session", d.EndSession, false},
	} {
		if e.address == "" {
			if e.needed {
				return fmt.Errorf("reading discovery document: it has no address for %s: write `endpoint %s URL`", e.name, e.name)
			}
			continue
		}
		if err := c.checkAddress(e.address); err != nil {
			return fmt.Errorf("reading discovery document: %s: %w", e.name, err)
		}
	}
	return nil
}

// written is the document of a provider whose addresses are all in the configuration; nil for any other.
func (c *Config) written() *metadata {
	if e := c.Endpoints; e.Authorization == "" || e.Token == "" || e.JWKS == "" && !slices.Contains(c.Algorithms, HS256) {
		return nil
	}
	d := &metadata{Issuer: c.Issuer}
	d.override(c.Endpoints)
	return d
}

// algorithms are those that ID tokens may have: the configured ones, or the asymmetric ones
// that are announced, or RS256, which every provider has (OpenID Connect Core §15.1).
func (c *Config) algorithms(d *metadata) []jose.Algorithm {
	if len(c.Algorithms) > 0 {
		return c.Algorithms
	}
	var list []jose.Algorithm
	for _, a := range jose.Algorithms() {
		if slices.ContainsFunc(d.Algorithms, a.Is) {
			list = append(list, a)
		}
	}
	if len(d.Algorithms) == 0 {
		list = []jose.Algorithm{jose.RS256}
	}
	return list
}

// challenges reports whether a code challenge is sent: it is unless the provider says that
// it knows others only, or the operator that it fails with one.
func (c *Config) challenges(d *metadata) bool {
	return !c.NoPKCE && (len(d.Challenges) == 0 || slices.Contains(d.Challenges, "S256"))
}
