package clients

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/clientid"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Registering is what a client says of itself when it registers. What is not here is
// ignored. See RFC 7591 §2.
type Registering struct {
	RedirectURIs    []string `json:"redirect_uris"`
	Name            string   `json:"client_name"`
	Method          string   `json:"token_endpoint_auth_method"`
	GrantTypes      []string `json:"grant_types"`
	ApplicationType string   `json:"application_type"`
	Scope           any      `json:"scope"` // a text; what else it is says nothing
}

// Asked returns the scopes that the client means to ask for.
func (r *Registering) Asked() []string {
	text, _ := r.Scope.(string)
	asked, _ := oauth.ParseScope(text)
	return asked
}

// Registration is the answer: what counts, of what the client has said. No member is empty or
// null, since clients fail at those. See RFC 7591 §3.2.1.
type Registration struct {
	ID              string   `json:"client_id"`
	IssuedAt        int64    `json:"client_id_issued_at"` // seconds
	Secret          string   `json:"client_secret,omitempty"`
	SecretExpires   *int64   `json:"client_secret_expires_at,omitempty"` // 0, with a secret: never
	Name            string   `json:"client_name,omitempty"`
	RedirectURIs    []string `json:"redirect_uris"`
	Method          string   `json:"token_endpoint_auth_method"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	ApplicationType string   `json:"application_type"`
	Scope           string   `json:"scope,omitempty"`
}

// maxRedirectURIs is how many redirect URIs a registration may have.
const maxRedirectURIs = 10

// methodsToRegister are those that a client may register.
var methodsToRegister = map[string]clientid.Method{
	"": clientid.MethodNone, string(AuthNone): clientid.MethodNone, string(AuthBasic): clientid.MethodBasic, string(AuthPost): clientid.MethodPost,
}

// Register makes the client_id of a client that registers itself. Nothing is kept of it:
// the id says what was registered, and the same again is the same id. Random makes the id of
// a client with a secret its own. Errors: InvalidRedirectURI if no redirect URI is left,
// InvalidClientMetadata, and TemporarilyUnavailable. See RFC 7591 §3.
func (d *Directory) Register(r Registering, random [16]byte) (*Registration, error) {
	p := d.unregistered.Registration
	keys, err := d.lastingKeys()
	switch {
	case err != nil:
		return nil, oauth.Unavailable(err)
	case len(r.RedirectURIs) > maxRedirectURIs:
		return nil, badMetadata("redirect_uris has more than %d addresses.", maxRedirectURIs)
	}
	method, ok := methodsToRegister[r.Method]
	if !ok {
		return nil, badMetadata("token_endpoint_auth_method must be none, client_secret_basic or client_secret_post.")
	}
	taken, kept := p.redirects(r.RedirectURIs)
	if len(taken) == 0 {
		return nil, oauth.Refuse(oauth.InvalidRedirectURI, oauth.ReasonBadRedirect,
			"None of the redirect_uris can be registered: use http on localhost or 127.0.0.1, a scheme of the application, or https at a host that this server knows.").
			With(oauth.Mismatch{Sent: oauth.PrintableURI(strings.Join(r.RedirectURIs, " ")), Registered: p.RedirectHosts, Option: "redirect_hosts"})
	}
	m := clientid.Metadata{
		Name: PlainName(r.Name), RedirectURIs: kept, Method: method,
		NoRefresh: len(r.GrantTypes) > 0 && !slices.Contains(r.GrantTypes, string(oauth.GrantRefreshToken)),
	}
	id := keys.Seal(m, random)
	if len(id) > clientid.MaxSize {
		return nil, badMetadata("redirect_uris are too long: the client_id would have %d characters, and may have %d.", len(id), clientid.MaxSize)
	}
	out := &Registration{
		ID: id, Name: m.Name, RedirectURIs: taken, Method: string(AuthNone), Scope: strings.Join(p.Usual, " "),
		GrantTypes: []string{string(oauth.GrantAuthorizationCode)}, ResponseTypes: []string{"code"}, ApplicationType: r.ApplicationType,
	}
	if !m.NoRefresh {
		out.GrantTypes = append(out.GrantTypes, string(oauth.GrantRefreshToken))
	}
	if out.ApplicationType != "native" && out.ApplicationType != "web" {
		out.ApplicationType = "web"
		if slices.ContainsFunc(taken, oauth.ClaimableRedirect) {
			out.ApplicationType = "native"
		}
	}
	if method != clientid.MethodNone {
		out.Method, out.Secret, out.SecretExpires = r.Method, keys.Secret(id), new(int64)
	}
	return out, nil
}

func badMetadata(format string, args ...any) *oauth.Error {
	return oauth.Refuse(oauth.InvalidClientMetadata, oauth.ReasonMalformed, fmt.Sprintf(format, args...))
}
