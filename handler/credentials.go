package handler

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/spans"
)

// authenticate finds out which client sends a request, and keeps the CORS
// headers to that client's own origins. See RFC 6749 §2.3 and §3.2.1.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request, p params) (*clients.Client, error) {
	c, err := readCredentials(r, p)
	if err != nil {
		return nil, s.about(c.ClientID, err)
	}
	id := c.ClientID
	if id == "" && c.Assertion != "" {
		id = clients.AssertionClient(c.Assertion)
	}
	if known, ok := s.Issuer.Configured(id); ok {
		s.narrowOrigin(w, r, known)
	}
	c.Certificate, c.Address = peerOf(r), login.Place(s.ClientIP(r))
	c.Held = s.showsHeld(r, p)
	if c.Method == clients.AuthPrivateKeyJWT {
		c.Endpoints = s.assertionAudiences(r)
	}
	client, err := s.Issuer.Authenticator().Authenticate(r.Context(), c)
	if err != nil {
		return nil, told{err}
	}
	spans.Note(r.Context(), spans.Client, client.ID)
	return client, nil
}

// showsHeld reports whether a request shows what its client holds already: a refresh token, which
// says how the client authenticates, or a token that is revoked.
func (s *Server) showsHeld(r *http.Request, p params) bool {
	switch name, _ := s.Endpoint(r.URL.Path); name {
	case "token":
		return p.get("grant_type") == string(oauth.GrantRefreshToken) && p.get("refresh_token") != ""
	case "revoke":
		return p.get("token") != ""
	}
	return false
}

// assertionAudiences are the URLs that an assertion may be for: of the endpoint that is
// called, and of the token endpoint, which libraries name everywhere (RFC 9126 §2).
func (s *Server) assertionAudiences(r *http.Request) []string {
	name, _ := s.Endpoint(r.URL.Path)
	return append(s.urlsOf(name, r), s.urlOf("token"))
}

// readCredentials reads client_secret_basic, client_secret_post, private_key_jwt
// or the bare client_id of a public client; never two at once (RFC 6749 §2.3).
func readCredentials(r *http.Request, p params) (clients.Credentials, error) {
	body, err := bodyCredentials(p)
	if err != nil {
		return body, err
	}
	lines := r.Header["Authorization"]
	switch {
	case len(lines) == 0:
		return body, nil
	case len(lines) > 1:
		return body, wire.Malformed("The Authorization header must be given once.")
	case body.Method != clients.AuthNone:
		return body, errTwoMethods
	}
	basic, err := parseBasic(lines[0])
	switch {
	case err != nil:
		return basic, unauthenticated(err)
	case body.ClientID != "" && body.ClientID != basic.ClientID && (basic.Literal == nil || body.ClientID != basic.Literal.ClientID):
		return basic, wire.Malformed("The client_id in the body does not match the Authorization header.")
	}
	return basic, nil
}

var errTwoMethods = wire.Malformed("Use one method of client authentication, not two.")

// bodyCredentials reads what the body says of the client. See RFC 6749 §2.3.1, RFC 7521 §4.2.
func bodyCredentials(p params) (clients.Credentials, error) {
	c := clients.Credentials{ClientID: p.get("client_id"), Method: clients.AuthNone}
	secret, assertion, kind := p.get("client_secret"), p.get("client_assertion"), p.get("client_assertion_type")
	switch {
	case assertion == "" && kind == "":
	case assertion == "" || kind == "":
		return c, wire.Malformed("client_assertion and client_assertion_type must be sent together.")
	case secret != "":
		return c, errTwoMethods
	case kind != clients.AssertionTypeJWT:
		return c, unauthenticated(errAssertionType)
	default:
		c.Method, c.Assertion = clients.AuthPrivateKeyJWT, assertion
	}
	if secret != "" {
		c.Method, c.Secret = clients.AuthPost, secret
	}
	return c, nil
}

var errAssertionType = errors.New("reading client_assertion_type: it is not the JWT type (RFC 7523 §2.2)")

// What is wrong with HTTP Basic credentials, for the log. See RFC 6749 §2.3.1.
var (
	errScheme       = errors.New("reading Authorization header: the scheme is not Basic")
	errBase64       = errors.New("reading Authorization header: what follows Basic is not base64, of client_id and secret joined by a colon")
	errColon        = errors.New("reading Authorization header: there is no colon between client_id and secret")
	errBasicMissing = errors.New("reading Authorization header: client_id is empty, or it is not UTF-8")
)

// parseBasic reads HTTP Basic credentials. Both parts are form-urlencoded
// before they are joined, and decoded here exactly once; what cannot be decoded, or
// would read otherwise, may be from a library that does not encode. An empty secret is
// that of a client which has none. See RFC 6749 §2.3.1 and Appendix B, RFC 7617 §2.
func parseBasic(header string) (clients.Credentials, error) {
	scheme, encoded, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") || strings.ContainsAny(encoded, "\r\n") {
		return clients.Credentials{}, errScheme
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(encoded, " "))
	if err != nil {
		return clients.Credentials{}, errBase64
	}
	id, secret, ok := strings.Cut(string(raw), ":")
	literal := clients.Literal{ClientID: id, Secret: secret}
	switch {
	case !ok:
		return clients.Credentials{}, errColon
	case id == "" || !utf8.Valid(raw):
		return clients.Credentials{}, errBasicMissing
	}
	c := clients.Credentials{ClientID: id, Secret: secret, Method: clients.AuthBasic}
	if secret == "" {
		c.Method = clients.AuthNone
	}
	if decoded, ok := decodeBasic(literal); ok && decoded != literal {
		c.ClientID, c.Secret, c.Literal = decoded.ClientID, decoded.Secret, &literal
	}
	return c, nil
}

// decodeBasic undoes the form-urlencoding of both parts.
func decodeBasic(literal clients.Literal) (decoded clients.Literal, ok bool) {
	id, errID := url.QueryUnescape(literal.ClientID)
	secret, errSecret := url.QueryUnescape(literal.Secret)
	ok = errID == nil && errSecret == nil && utf8.ValidString(id) && utf8.ValidString(secret)
	return clients.Literal{ClientID: id, Secret: secret}, ok
}

func unauthenticated(cause error) *oauth.Error {
	return &oauth.Error{
		Code: oauth.InvalidClient, Reason: oauth.ReasonBadMethod,
		Description: "Client authentication failed.", Cause: cause,
	}
}
