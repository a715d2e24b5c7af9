package upstream

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// LOG-14, M23, F20, F73, F09, LOG-19: what a browser may bring back. No code of another's
// answer is redeemed.
func TestLOG14F20Answers(t *testing.T) {
	announce := func(p *provider) {
		p.metadata = func(d object) { d["authorization_response_iss_parameter_supported"] = true }
	}
	set := func(name string, values ...string) func(*provider, url.Values) {
		return func(_ *provider, answer url.Values) { answer[name] = values }
	}
	fail := func(code string) func(*provider, url.Values) {
		return func(_ *provider, answer url.Values) { answer.Del("code"); answer.Set("error", code) }
	}
	own := func(p *provider, answer url.Values) { answer.Set("iss", p.URL) }
	stepUp := login.Asked{Again: true}
	for _, tt := range []struct {
		name    string
		asked   login.Asked
		script  func(*provider)
		evil    func(*provider, url.Values)
		failure login.Failure
		reason  string
	}{
		{name: "a good one", evil: func(*provider, url.Values) {}},
		{name: "F20 iss where it is not announced", evil: own},
		{name: "F20 iss where it is announced", script: announce, evil: own},
		{name: "F20 no iss where it is announced", script: announce, evil: func(*provider, url.Values) {}, failure: login.FailedForged, reason: reasonIssuer},
		{name: "LOG-14 another iss", evil: set("iss", "https://evil.example"), failure: login.FailedForged, reason: reasonIssuer},
		{name: "LOG-14 iss with a slash", evil: func(p *provider, a url.Values) { a.Set("iss", p.URL+"/") }, failure: login.FailedForged, reason: reasonIssuer},
		{name: "LOG-14 an empty iss", evil: set("iss", ""), failure: login.FailedForged, reason: reasonIssuer},
		{name: "M23 iss twice", script: announce, evil: func(p *provider, a url.Values) { a["iss"] = []string{p.URL, "https://evil.example"} }, failure: login.FailedForged, reason: reasonNoCode},
		{name: "LOG-14 another iss in an error", evil: func(_ *provider, a url.Values) {
			a["iss"], a["error"] = []string{"https://evil.example"}, []string{"access_denied"}
		}, failure: login.FailedForged, reason: reasonIssuer},
		{name: "F20 no iss in an error", script: announce, evil: fail("access_denied"), failure: login.FailedForged, reason: reasonIssuer},
		{name: "another state", evil: set("state", "state-of-22-characterX"), failure: login.FailedForged, reason: reasonState},
		{name: "no state", evil: set("state"), failure: login.FailedForged, reason: reasonState},
		{name: "state twice", evil: set("state", "state-of-22-characters", "x"), failure: login.FailedForged, reason: reasonNoCode},
		{name: "no code", evil: set("code"), failure: login.FailedForged, reason: reasonNoCode},
		{name: "code twice", evil: set("code", "a", "b"), failure: login.FailedForged, reason: reasonNoCode},
		{name: "a code of 5 KiB", evil: set("code", strings.Repeat("x", 5<<10)), failure: login.FailedForged, reason: reasonNoCode},
		{name: "a code with a control", evil: set("code", "a\nb"), failure: login.FailedForged, reason: reasonNoCode},
		{name: "a code that is not one", evil: set("code", "x"), failure: login.FailedAgain, reason: reasonCode},
		{name: "F73 cancelled", evil: fail("access_denied"), failure: login.FailedCancelled, reason: reasonError},
		{name: "Apple's word for it", evil: fail("user_cancelled_authorize"), failure: login.FailedCancelled, reason: reasonError},
		{name: "F09 an old page", evil: fail("temporarily_unavailable"), failure: login.FailedAgain, reason: reasonError},
		{name: "F09 an old page, newer", evil: fail("authentication_expired"), failure: login.FailedAgain, reason: reasonError},
		{name: "server_error", evil: fail("server_error"), failure: login.FailedAgain, reason: reasonError},
		{name: "login_required", evil: fail("login_required"), failure: login.FailedAgain, reason: reasonError},
		{name: "login_required of what was asked", asked: stepUp, evil: fail("login_required"), failure: login.FailedNotMet, reason: reasonError},
		{name: "unmet_authentication_requirements", evil: fail("unmet_authentication_requirements"), failure: login.FailedNotMet, reason: reasonError},
		{name: "invalid_scope", evil: fail("invalid_scope"), failure: login.FailedBroken, reason: reasonError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			if tt.script != nil {
				tt.script(p)
			}
			o, d := start(t, p.config()), departure()
			d.Asked = tt.asked
			to, err := o.Begin(d)
			if err != nil {
				t.Fatal(err)
			}
			answer := p.authorize(t, to)
			tt.evil(p, answer)
			_, err = o.Finish(t.Context(), d, answer)
			want(t, err, tt.failure, tt.reason)
			if tt.failure != 0 && tt.reason != reasonCode && p.count("/token") != 0 {
				t.Error("the token endpoint was asked")
			}
		})
	}
}

// F20: the demand can be turned off; what comes is compared all the same.
func TestF20IssuerCheckOff(t *testing.T) {
	p := newProvider(t)
	p.metadata = func(d object) { d["authorization_response_iss_parameter_supported"] = true }
	cfg := p.config()
	cfg.NoIssuerCheck = true
	o := start(t, cfg)
	_, err := p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	d := departure()
	to, _ := o.Begin(d)
	answer := p.authorize(t, to)
	answer.Set("iss", "https://evil.example")
	_, err = o.Finish(t.Context(), d, answer)
	want(t, err, login.FailedForged, reasonIssuer)
}

// LOG-19, F73: the provider's words are for the log, cut, and can forge no line of it.
func TestLOG19ProviderText(t *testing.T) {
	p := newProvider(t)
	o, d := start(t, p.config()), departure()
	if _, err := o.Begin(d); err != nil {
		t.Fatal(err)
	}
	_, err := o.Finish(t.Context(), d, url.Values{"state": {d.State}, "error": {"x\r\ninjected"}, "error_description": {"<script>\u202e" + strings.Repeat("é", 5000)}})
	want(t, err, login.FailedBroken, reasonError)
	if text := fmt.Sprint(err); len(text) > 700 || strings.ContainsAny(text, "\r\n\u202e") {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}
