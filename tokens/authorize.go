package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Authorization is a validated authorization request. It is plain JSON, so
// that a page can carry it sealed through the login.
type Authorization struct {
	ClientID      string       `json:"client_id"`
	RedirectURI   string       `json:"redirect_uri"`
	RedirectGiven bool         `json:"redirect_given,omitempty"` // so the token request must repeat it
	ResponseMode  ResponseMode `json:"response_mode"`
	State         string       `json:"state,omitempty"`
	Nonce         string       `json:"nonce,omitempty"`
	Challenge     string       `json:"challenge,omitempty"` // S256
	Scopes        []string     `json:"scopes,omitempty"`
	Audiences     []string     `json:"audiences,omitempty"`
	Prompt        []string     `json:"prompt,omitempty"`
	MaxAge        int64        `json:"max_age"` // seconds; -1 for none
	LoginHint     string       `json:"login_hint,omitempty"`
	UILocales     string       `json:"ui_locales,omitempty"`
	HintSubject   string       `json:"hint_subject,omitempty"` // the sub of a valid id_token_hint
	Connection    string       `json:"connection,omitempty"`   // the login to use, Auth0's word; an unknown one counts for nothing
	ACRs          []string     `json:"acr_values,omitempty"`   // asked for, as far as some login can give them
	ProofKey      string       `json:"dpop_jkt,omitempty"`     // the thumbprint that the code is bound to
	Site          *siteTerms   `json:"site,omitempty"`         // where the guard of a site asks, and nobody else
}

// ResponseMode is how the answer travels to the redirect URI.
// See OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode §2 and the web_message draft.
type ResponseMode string

// The response modes that Gatehouse serves.
const (
	ModeQuery      ResponseMode = "query"
	ModeFragment   ResponseMode = "fragment"
	ModeFormPost   ResponseMode = "form_post"
	ModeWebMessage ResponseMode = "web_message"
)

// The values of prompt. See OpenID Connect Core §3.1.2.1.
const (
	PromptNone          = "none"
	PromptLogin         = "login"
	PromptConsent       = "consent"
	PromptSelectAccount = "select_account"
	promptCreate        = "create" // of Initiating User Registration §4; nobody can register here
)

// ParseAuthorization validates the parameters of an authorization request.
// See RFC 6749 §4.1.1, RFC 7636 §4.3, OpenID Connect Core §3.1.2.1.
//
// With an error, a nil Authorization means that the redirect URI cannot be
// trusted: show the error on a page of our own. Otherwise the error is for the
// client, at the Authorization's RedirectURI, ResponseMode and State.
func (i *Issuer) ParseAuthorization(ctx context.Context, params url.Values) (*Authorization, error) {
	if sealed := params.Get(siteRequestParam); sealed != "" {
		return i.parseSiteRequest(sealed)
	}
	client, a, err := i.parseDestination(ctx, params)
	if err != nil {
		return nil, err
	}
	if err := a.parseMode(client, params.Get("response_mode")); err != nil {
		return a, err
	}
	if mode := objectMode(params); mode != "" {
		_ = a.parseMode(client, mode) // one that is not ours is not why the request is refused
	}
	for _, step := range []func(*clients.Client, *Authorization, url.Values) error{
		parseSupported, parseProof, parsePrompt, i.parseACRs, i.parseHint, i.parseAccess,
	} {
		if err := step(client, a, params); err != nil {
			return a, err
		}
	}
	return a, nil
}

// parseDestination finds out to whom and where the answer may go. Until it
// has, nothing is sent anywhere. See RFC 6749 §4.1.2.1 and RFC 9700 §4.11.2.
func (i *Issuer) parseDestination(ctx context.Context, params url.Values) (*clients.Client, *Authorization, error) {
	if len(params["client_id"]) > 1 || len(params["redirect_uri"]) > 1 {
		return nil, nil, oauth.BadRequest("client_id and redirect_uri must be given once.")
	}
	for _, name := range []string{"client_id", "redirect_uri"} {
		if err := oauth.CheckParams(url.Values{name: params[name]}); err != nil {
			return nil, nil, err
		}
	}
	client, err := i.Client(ctx, params.Get("client_id"))
	switch {
	case errors.Is(err, clients.ErrUnknown):
		return nil, nil, oauth.Refuse(oauth.InvalidRequest, oauth.ReasonUnknownClient, "The application is unknown: its client_id is missing or not registered.").
			With(i.clients.Unknown(params.Get("client_id")))
	case err != nil:
		return nil, nil, err
	case !client.MayUse(oauth.GrantAuthorizationCode):
		return nil, nil, oauth.Refuse(oauth.UnauthorizedClient, oauth.ReasonUnsupportedGrant, "This application cannot sign people in.").
			With(oauth.Mismatch{Sent: string(oauth.GrantAuthorizationCode), Registered: []string{string(client.Type)}, Option: "type"})
	}
	a := &Authorization{ClientID: client.ID, RedirectURI: params.Get("redirect_uri"), ResponseMode: ModeQuery, MaxAge: -1}
	switch {
	case a.RedirectURI != "":
		a.RedirectGiven = true
		if !client.MatchesRedirect(a.RedirectURI) {
			return nil, nil, oauth.Refuse(oauth.InvalidRequest, oauth.ReasonBadRedirect, "The redirect_uri is not one that the application has registered.").
				With(redirectMismatch(client, a.RedirectURI))
		}
	case len(client.RedirectURIs) == 1 && !slices.Contains(strings.Fields(params.Get("scope")), oauth.ScopeOpenID):
		a.RedirectURI = client.RedirectURIs[0]
	default:
		return nil, nil, oauth.Refuse(oauth.InvalidRequest, oauth.ReasonBadRedirect, "The redirect_uri is missing.").
			With(redirectMismatch(client, ""))
	}
	if s := params["state"]; len(s) == 1 && utf8.ValidString(s[0]) && oauth.ParamFits("state", s[0]) {
		a.State = s[0]
	}
	return client, a, nil
}

// parseMode reads response_mode. An answer by web_message goes to the origin
// of the redirect URI, which must be a registered one.
func (a *Authorization) parseMode(c *clients.Client, mode string) error {
	if c.Unregistered() && mode != "" && ResponseMode(mode) != ModeQuery {
		return oauth.BadRequest("This application gets its answers in the query alone: leave out response_mode.").
			With(oauth.Mismatch{Sent: mode, Registered: []string{string(ModeQuery)}})
	}
	switch m := ResponseMode(mode); m {
	case "", ModeQuery:
		return nil
	case ModeFragment, ModeFormPost:
		a.ResponseMode = m
		return nil
	case ModeWebMessage:
		if !c.HasOrigin(oauth.OriginOf(a.RedirectURI)) {
			return oauth.Refuse(oauth.InvalidRequest, oauth.ReasonBadOrigin, "response_mode web_message needs a redirect_uri on a registered origin.").
				With(oauth.Mismatch{Sent: oauth.OriginOf(a.RedirectURI), Registered: c.Origins, Option: "origins"})
		}
		a.ResponseMode = m
		return nil
	}
	return oauth.BadRequest("This response_mode is not supported. Use query, fragment, form_post or web_message.").
		With(oauth.Mismatch{Sent: mode, Registered: []string{string(ModeQuery), string(ModeFragment), string(ModeFormPost), string(ModeWebMessage)}})
}

// parseSupported refuses what is repeated or too long, and what we do not do.
func parseSupported(_ *clients.Client, _ *Authorization, params url.Values) error {
	if err := oauth.CheckParams(params); err != nil {
		return err
	}
	for name, values := range params {
		if len(values) > 1 && name != "resource" && known[name] {
			return oauth.BadRequest("The parameter %s must be given once.", name)
		}
	}
	if !utf8.ValidString(params.Get("state")) || !utf8.ValidString(params.Get("nonce")) {
		return oauth.BadRequest("state and nonce must be valid UTF-8.")
	}
	switch {
	case params.Get("request") != "":
		return oauth.Refuse(oauth.RequestNotSupported, oauth.ReasonMalformed, "Request objects are not supported.")
	case params.Get("request_uri") != "":
		return oauth.Refuse(oauth.RequestURINotSupported, oauth.ReasonMalformed, "request_uri is not supported.")
	case params.Get("registration") != "":
		return oauth.Refuse(oauth.RegistrationUnsupported, oauth.ReasonMalformed, "The registration parameter is not supported.")
	case params.Get("response_type") == "":
		return oauth.BadRequest("response_type is missing. Use code.")
	case params.Get("response_type") != "code":
		return oauth.Refuse(oauth.UnsupportedResponseType, oauth.ReasonMalformed, "Only response_type code is supported.").
			With(oauth.Mismatch{Sent: params.Get("response_type"), Registered: []string{"code"}})
	}
	if c := params.Get("claims"); c != "" && !isJSONObject(c) {
		return oauth.BadRequest("The claims parameter is not a JSON object.")
	}
	return nil
}

// known are the parameters that must not be repeated. Unknown ones are ignored
// however often they come. See RFC 6749 §3.1.
var known = func() map[string]bool {
	m := make(map[string]bool)
	for name := range strings.FieldsSeq(`response_type client_id redirect_uri scope state response_mode nonce display
		prompt max_age ui_locales id_token_hint login_hint acr_values claims request request_uri registration
		code_challenge code_challenge_method audience dpop_jkt connection`) {
		m[name] = true
	}
	return m
}()

// parseProof reads PKCE, with S256 alone. A client that may go without it sends
// nothing of it: half of a challenge is a mistake. See RFC 7636 §4.3 and RFC 9700 §2.1.1.
func parseProof(c *clients.Client, a *Authorization, params url.Values) error {
	a.Nonce = params.Get("nonce")
	a.Challenge = params.Get("code_challenge")
	switch {
	case a.Challenge == "" && !c.NeedsPKCE() && params.Get("code_challenge_method") == "":
	case a.Challenge == "":
		return oauth.Refuse(oauth.InvalidRequest, oauth.ReasonNoPKCE, "code challenge required: send code_challenge with code_challenge_method S256.").
			With(pkceMismatch(c))
	case params.Get("code_challenge_method") == "":
		return oauth.BadRequest("code_challenge_method is missing and must be S256. If the address was copied, it was cut off there.").
			With(oauth.Mismatch{Registered: []string{"S256"}})
	case params.Get("code_challenge_method") != "S256":
		return oauth.BadRequest("code_challenge_method must be S256.").
			With(oauth.Mismatch{Sent: params.Get("code_challenge_method"), Registered: []string{"S256"}})
	case !validChallenge(a.Challenge):
		return oauth.BadRequest("code_challenge must be 43 characters of base64url.")
	}
	return a.parseProofKey(params.Get("dpop_jkt"))
}

// parseProofKey reads dpop_jkt, which binds the code to a DPoP key. See RFC 9449 §10.
func (a *Authorization) parseProofKey(text string) error {
	if _, ok := jose.ParseThumbprint(text); !ok && text != "" {
		return oauth.BadRequest("dpop_jkt must be the base64url of a SHA-256 thumbprint.")
	}
	a.ProofKey = text
	return nil
}

// parseACRs reads acr_values. They are voluntary: those that no login can give
// count for nothing. See OpenID Connect Core §3.1.2.1.
func (i *Issuer) parseACRs(_ *clients.Client, a *Authorization, params url.Values) error {
	a.Connection = params.Get("connection")
	for acr := range strings.FieldsSeq(params.Get("acr_values")) {
		if slices.Contains(i.cfg.ACRs, acr) && !slices.Contains(a.ACRs, acr) {
			a.ACRs = append(a.ACRs, acr)
		}
	}
	return nil
}

func parsePrompt(_ *clients.Client, a *Authorization, params url.Values) error {
	a.Prompt = strings.Fields(params.Get("prompt"))
	for i, p := range a.Prompt {
		switch p {
		case promptCreate:
			a.Prompt[i] = PromptLogin // who wants a new account does not want the one that is signed in
		case PromptNone, PromptLogin, PromptConsent, PromptSelectAccount:
		default:
			return oauth.BadRequest("prompt has an unknown value.")
		}
	}
	if slices.Contains(a.Prompt, PromptNone) && len(a.Prompt) > 1 {
		return oauth.BadRequest("prompt none cannot be combined with other values.")
	}
	if s := params.Get("max_age"); s != "" {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return oauth.BadRequest("max_age must be a number of seconds, 0 or more.")
		}
		a.MaxAge = int64(n)
	}
	a.LoginHint = params.Get("login_hint")
	a.UILocales = params.Get("ui_locales")
	return nil
}

// parseHint reads id_token_hint: an ID token of ours for this client, expired or
// not. One whose key is gone names nobody: whether it is the person who is signed
// in, nobody can say without asking.
func (i *Issuer) parseHint(c *clients.Client, a *Authorization, params url.Values) error {
	hint := params.Get("id_token_hint")
	if hint == "" {
		return nil
	}
	claims, err := i.verifier.VerifyIDToken(hint)
	if oauth.IsReason(err, oauth.ReasonUnknownKey) {
		if slices.Contains(a.Prompt, PromptNone) {
			return oauth.Refuse(oauth.LoginRequired, oauth.ReasonUnknownKey, "The id_token_hint was signed with a key that is no longer in use.")
		}
		return nil
	}
	if err != nil || !slices.Contains(claims.Audience, c.ID) {
		return oauth.BadRequest("id_token_hint is not an ID token of this application.")
	}
	a.HintSubject = claims.Subject
	return nil
}

// parseAccess reads what the client wants access to.
func (i *Issuer) parseAccess(c *clients.Client, a *Authorization, params url.Values) error {
	asked, ok := oauth.ParseScope(params.Get("scope"))
	if !ok && !c.Unregistered() { // whose scopes are cut, never refused
		return oauth.Refuse(oauth.InvalidScope, oauth.ReasonScope, "The scope parameter is malformed.").
			With(oauth.Mismatch{Sent: params.Get("scope")})
	}
	audiences, err := i.targets(c, append([]string{params.Get("audience")}, params["resource"]...))
	if err != nil {
		return err
	}
	if len(audiences) > 1 {
		slices.Sort(audiences[1:]) // the first is what a token is for unless it asks; the order of the rest means nothing
	}
	if len(audiences) > 1 && c.Unregistered() {
		return oauth.Refuse(oauth.InvalidTarget, oauth.ReasonWrongAudience, "Name one resource.").
			With(oauth.Mismatch{Sent: oauth.PrintableURI(strings.Join(params["resource"], " ")), Registered: c.APIs})
	}
	a.Audiences = i.orDefault(c, audiences)
	a.Scopes = i.grantable(c, i.withUsual(c, asked, a.Audiences), a.Audiences)
	return nil
}

// redirectMismatch is that of a redirect URI which the client has not registered.
func redirectMismatch(c *clients.Client, sent string) oauth.Mismatch {
	return oauth.Mismatch{Sent: oauth.PrintableURI(sent), Registered: c.RedirectURIs, Option: "redirect_uris"}
}

// pkceMismatch is that of a request without a code challenge. Only a web client can be excused.
func pkceMismatch(c *clients.Client) oauth.Mismatch {
	m := oauth.Mismatch{Registered: []string{"S256"}}
	if c.Type == clients.Web {
		m.Option = "pkce"
	}
	return m
}

func isJSONObject(s string) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal([]byte(s), &object) == nil && object != nil
}
