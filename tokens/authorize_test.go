package tokens_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestAuthorizationRefused covers the AUZ and RED rows that need no browser.
// page: the answer must not go to the client.
func TestAuthorizationRefused(t *testing.T) {
	tests := []struct {
		id     string
		change func(url.Values)
		code   oauth.ErrorCode
		page   bool
	}{
		{"AUZ-01 missing client", set("client_id", ""), oauth.InvalidRequest, true},
		{"AUZ-01 unknown client", set("client_id", "nobody"), oauth.InvalidRequest, true},
		{"AUZ-01 repeated client", add("client_id", "spa"), oauth.InvalidRequest, true},
		{"machine client", set("client_id", "machine"), oauth.UnauthorizedClient, true},
		{"AUZ-03 missing redirect with openid", set("redirect_uri", ""), oauth.InvalidRequest, true},
		{"AUZ-03 missing of two", func(v url.Values) { v.Set("client_id", "native"); v.Del("redirect_uri"); v.Set("scope", "orders:read") }, oauth.InvalidRequest, true},
		{"RED-02 query added", set("redirect_uri", spaRedirect+"?x=1"), oauth.InvalidRequest, true},
		{"RED-14 bad scope and evil redirect", func(v url.Values) { v.Set("scope", `"`); v.Set("redirect_uri", "https://evil.example/") }, oauth.InvalidRequest, true},
		{"AUZ-10 repeated redirect_uri", add("redirect_uri", spaRedirect), oauth.InvalidRequest, true},
		{"AUZ-10 repeated state", add("state", "other"), oauth.InvalidRequest, false},
		{"AUZ-10 repeated scope", add("scope", "openid"), oauth.InvalidRequest, false},
		{"AUZ-10 repeated code_challenge", add("code_challenge", "x"), oauth.InvalidRequest, false},
		{"AUZ-04 response_type missing", set("response_type", ""), oauth.InvalidRequest, false},
		{"response_type token", set("response_type", "token"), oauth.UnsupportedResponseType, false},
		{"response_type hybrid", set("response_type", "code id_token"), oauth.UnsupportedResponseType, false},
		{"AUZ-06 query.jwt", set("response_mode", "query.jwt"), oauth.InvalidRequest, false},
		{"AUZ-06 form_post.jwt", set("response_mode", "form_post.jwt"), oauth.InvalidRequest, false},
		{"AUZ-06 fragment.jwt", set("response_mode", "fragment.jwt"), oauth.InvalidRequest, false},
		{"S20: prompt none create", set("prompt", "none create"), oauth.InvalidRequest, false},
		{"WEB-17 web_message off the origins", func(v url.Values) { v.Set("client_id", "legacy"); v.Set("response_mode", "web_message") }, oauth.InvalidRequest, false},
		{"AUZ-07 no challenge", set("code_challenge", ""), oauth.InvalidRequest, false},
		{"AUZ-08 method missing", set("code_challenge_method", ""), oauth.InvalidRequest, false},
		{"AUZ-08 plain", set("code_challenge_method", "plain"), oauth.InvalidRequest, false},
		{"AUZ-08 s256", set("code_challenge_method", "s256"), oauth.InvalidRequest, false},
		{"AUZ-08 S512", set("code_challenge_method", "S512"), oauth.InvalidRequest, false},
		{"AUZ-09 challenge of 42", set("code_challenge", strings.Repeat("a", 42)), oauth.InvalidRequest, false},
		{"AUZ-09 challenge of 129", set("code_challenge", strings.Repeat("a", 129)), oauth.InvalidRequest, false},
		{"AUZ-09 padding", set("code_challenge", strings.Repeat("a", 43)+"="), oauth.InvalidRequest, false},
		{"AUZ-09 illegal", set("code_challenge", strings.Repeat("a", 42)+"+"), oauth.InvalidRequest, false},
		{"AUZ-17 max_age -1", set("max_age", "-1"), oauth.InvalidRequest, false},
		{"AUZ-17 max_age abc", set("max_age", "abc"), oauth.InvalidRequest, false},
		{"prompt none login", set("prompt", "none login"), oauth.InvalidRequest, false},
		{"prompt unknown", set("prompt", "maybe"), oauth.InvalidRequest, false},
		{"AUZ-18 forged hint", set("id_token_hint", "a.b.c"), oauth.InvalidRequest, false},
		{"AUZ-19 request", set("request", "x"), oauth.RequestNotSupported, false},
		{"AUZ-19 request_uri", set("request_uri", "http://169.254.169.254/"), oauth.RequestURINotSupported, false},
		{"registration", set("registration", "{}"), oauth.RegistrationUnsupported, false},
		{"AUZ-21 claims malformed", set("claims", "{"), oauth.InvalidRequest, false},
		{"AUZ-21 claims not an object", set("claims", "null"), oauth.InvalidRequest, false},
		{"AUZ-21 claims 100 KiB", set("claims", `{"a":"`+strings.Repeat("x", 100<<10)+`"}`), oauth.InvalidRequest, false},
		{"scope malformed", set("scope", "openid \"profile\""), oauth.InvalidScope, false},
		{"unknown audience", set("audience", "https://other.example"), oauth.InvalidTarget, false},
		{"unknown resource", set("resource", "https://other.example"), oauth.InvalidTarget, false},
		{"state not UTF-8", set("state", "\xff"), oauth.InvalidRequest, false},
	}
	g := newGateway(t)
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			v := request()
			tt.change(v)
			a, err := g.ParseAuthorization(t.Context(), v)
			refused(t, err, tt.code, "")
			if (a == nil) != tt.page {
				t.Fatalf("page: %v, want %v", a == nil, tt.page)
			}
			if a != nil && (a.RedirectURI != spaRedirect || v.Get("state") == "st" && len(v["state"]) == 1 && a.State != "st") {
				t.Errorf("the error goes to %q with state %q", a.RedirectURI, a.State)
			}
		})
	}
}

func set(name, value string) func(url.Values) {
	return func(v url.Values) {
		if value == "" {
			v.Del(name)
			return
		}
		v.Set(name, value)
	}
}

func add(name, value string) func(url.Values) {
	return func(v url.Values) { v.Add(name, value) }
}

func TestAuthorizationTaken(t *testing.T) {
	g := newGateway(t)
	tests := []struct {
		name   string
		change func(url.Values)
		check  func(*tokens.Authorization) bool
	}{
		{"AUZ-11 unknown parameters", func(v url.Values) { v["foo"] = []string{"1", "2"} }, func(a *tokens.Authorization) bool { return a.State == "st" }},
		{"state byte for byte", set("state", `a b+c%20&=é"'<>`), func(a *tokens.Authorization) bool { return a.State == `a b+c%20&=é"'<>` }},
		{"unknown scopes dropped", set("scope", "openid nonsense orders:read"), func(a *tokens.Authorization) bool { return slices.Equal(a.Scopes, []string{"openid", "orders:read"}) }},
		{"another API's scopes dropped", set("scope", "orders:read billing:read"), func(a *tokens.Authorization) bool { return slices.Equal(a.Scopes, []string{"orders:read"}) }},
		{"resource and audience", set("resource", billingAPI), func(a *tokens.Authorization) bool { return slices.Equal(a.Audiences, []string{ordersAPI, billingAPI}) }},
		{"web_message", set("response_mode", "web_message"), func(a *tokens.Authorization) bool { return a.ResponseMode == tokens.ModeWebMessage }},
		{"S20: fragment", set("response_mode", "fragment"), func(a *tokens.Authorization) bool { return a.ResponseMode == tokens.ModeFragment }},
		{"S20: prompt create", set("prompt", "create consent"), func(a *tokens.Authorization) bool { return slices.Equal(a.Prompt, []string{"login", "consent"}) }},
		{"S12: resource with a slash", func(v url.Values) { v.Set("resource", ordersAPI+"/"); v.Del("audience") }, func(a *tokens.Authorization) bool { return slices.Equal(a.Audiences, []string{ordersAPI}) }},
		{"form_post", set("response_mode", "form_post"), func(a *tokens.Authorization) bool { return a.ResponseMode == tokens.ModeFormPost }},
		{"AUZ-03 only registered redirect", func(v url.Values) { v.Del("redirect_uri"); v.Set("scope", "orders:read") }, func(a *tokens.Authorization) bool { return a.RedirectURI == spaRedirect && !a.RedirectGiven }},
		{"max_age 0", set("max_age", "0"), func(a *tokens.Authorization) bool { return a.MaxAge == 0 }},
		{"claims ignored", set("claims", `{"userinfo":{}}`), func(a *tokens.Authorization) bool { return a.MaxAge == -1 }},
		{"RED-11 loopback port", func(v url.Values) { v.Set("client_id", "native"); v.Set("redirect_uri", "http://127.0.0.1:51004/cb") }, func(a *tokens.Authorization) bool { return a.RedirectURI == "http://127.0.0.1:51004/cb" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := request()
			tt.change(v)
			a, err := g.ParseAuthorization(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(a) {
				t.Errorf("parsed %+v", a)
			}
		})
	}
}

// TestAuthorizationHint covers AUZ-18 for hints that are ours.
func TestAuthorizationHint(t *testing.T) {
	g := newGateway(t)
	res := g.login()
	g.pass(11 * time.Hour) // an expired hint is fine
	a, err := g.ParseAuthorization(t.Context(), request("id_token_hint", res.IDToken))
	if err != nil || a.HintSubject != alice.Subject {
		t.Fatalf("hint subject %v, %v", a, err)
	}
	bob, _ := g.signIn(tokens.Profile{Subject: "local|bob", Login: "local"})
	a.Prompt = []string{tokens.PromptNone}
	_, err = g.NextStep(t.Context(), a, bob, tokens.Progress{})
	refused(t, err, oauth.LoginRequired, "")
	// S5: the key is of a store that was emptied.
	gone := newGateway(t).login().IDToken
	a, err = g.ParseAuthorization(t.Context(), request("id_token_hint", gone))
	if err != nil || a.HintSubject != "" {
		t.Errorf("S5: a hint whose key is gone: %+v, %v", a, err)
	}
	_, err = g.ParseAuthorization(t.Context(), request("id_token_hint", gone, "prompt", "none"))
	refused(t, err, oauth.LoginRequired, "")
	if hint, err := g.ParseLogoutHint(gone); hint != nil || err != nil {
		t.Errorf("S5: at logout: %v, %v", hint, err)
	}
	_, err = g.ParseAuthorization(t.Context(), request("client_id", "legacy", "id_token_hint", res.IDToken))
	refused(t, err, oauth.InvalidRequest, "")
	_, err = g.ParseAuthorization(t.Context(), request("id_token_hint", res.AccessToken))
	refused(t, err, oauth.InvalidRequest, "")
}

func TestNextStep(t *testing.T) {
	g := newGateway(t, func(c *tokens.Config) {
		third := *c.Clients[0]
		third.ID, third.Consent = "third", clients.ConsentAlways
		trusted := *c.Clients[2]
		trusted.ID, trusted.Consent = "trusted", clients.ConsentNever
		c.Clients = append(c.Clients, &third, &trusted)
	})
	l, _ := g.signIn(alice)
	native := []string{"client_id", "native", "redirect_uri", "http://127.0.0.1:5000/cb"}
	tests := []struct {
		name             string
		overrides        []string
		login            bool
		fresh, consented bool
		unseen           bool
		want             tokens.Step
		code             oauth.ErrorCode
	}{
		{name: "no session", want: tokens.StepLogin},
		{name: "AUZ-15 no session, none", overrides: []string{"prompt", "none"}, code: oauth.LoginRequired},
		{name: "session", login: true, want: tokens.StepIssue},
		{name: "session, none", login: true, overrides: []string{"prompt", "none"}, want: tokens.StepIssue},
		{name: "prompt login", login: true, overrides: []string{"prompt", "login"}, want: tokens.StepLogin},
		{name: "prompt login, just done", login: true, fresh: true, overrides: []string{"prompt", "login"}, want: tokens.StepIssue},
		{name: "prompt select_account", login: true, overrides: []string{"prompt", "select_account"}, want: tokens.StepLogin},
		{name: "AUZ-17 max_age 0", login: true, overrides: []string{"max_age", "0"}, want: tokens.StepLogin},
		{name: "max_age 0, just done", login: true, fresh: true, overrides: []string{"max_age", "0"}, want: tokens.StepIssue},
		{name: "max_age not reached", login: true, overrides: []string{"max_age", "100"}, want: tokens.StepIssue},
		{name: "prompt consent", login: true, fresh: true, overrides: []string{"prompt", "consent"}, want: tokens.StepConsent},
		{name: "prompt consent, given", login: true, consented: true, overrides: []string{"prompt", "consent"}, want: tokens.StepIssue},
		{name: "AUZ-29 native, none", login: true, overrides: append(native, "prompt", "none"), code: oauth.ConsentRequired},
		{name: "native with a session", login: true, overrides: native, want: tokens.StepConsent},
		{name: "native, just signed in", login: true, fresh: true, overrides: native, want: tokens.StepIssue},
		{name: "AUZ-29 native, by a provider alone", login: true, fresh: true, unseen: true, overrides: native, want: tokens.StepConsent},
		{name: "prompt login, by a provider alone", login: true, fresh: true, unseen: true, overrides: []string{"prompt", "login"}, want: tokens.StepIssue},
		{name: "trusted native, none", login: true, overrides: append(native, "client_id", "trusted", "prompt", "none"), want: tokens.StepIssue},
		{name: "third party", login: true, fresh: true, overrides: []string{"client_id", "third"}, want: tokens.StepConsent},
		{name: "third party, none", login: true, overrides: []string{"client_id", "third", "prompt", "none"}, code: oauth.ConsentRequired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := g.ParseAuthorization(t.Context(), request(tt.overrides...))
			if err != nil {
				t.Fatal(err)
			}
			login := l
			if !tt.login {
				login = nil
			}
			p := tokens.Progress{Fresh: tt.fresh, Unseen: tt.unseen}
			if tt.consented {
				p.Agreed, err = g.Question(t.Context(), a, login, false)
			}
			if err != nil {
				t.Fatal(err)
			}
			step, err := g.NextStep(t.Context(), a, login, p)
			if tt.code != "" {
				refused(t, err, tt.code, "")
			} else if err != nil || step != tt.want {
				t.Errorf("step %d, %v; want %d", step, err, tt.want)
			}
		})
	}
	a, err := g.ParseAuthorization(t.Context(), request("max_age", "1"))
	if err != nil {
		t.Fatal(err)
	}
	g.pass(2 * time.Second)
	if step, err := g.NextStep(t.Context(), a, l, tokens.Progress{}); step != tokens.StepLogin {
		t.Errorf("AUZ-17 max_age 1 after 2 s: step %d, %v", step, err)
	}
}
