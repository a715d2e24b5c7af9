package upstream

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// F11, F12, F22, F67 to F71: what is sent to a provider, and what cannot be sent.
func TestF67ToF71Departures(t *testing.T) {
	sum := sha256.Sum256([]byte(departure().Verifier))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	google := func(c *Config) { c.Prompts, c.NoMaxAge = []string{"none", "consent", "select_account"}, true }
	for _, tt := range []struct {
		name   string
		cfg    func(*Config)
		script func(object)
		asked  login.Asked
		want   map[string]string // "" for absent
		reason string
	}{
		{name: "nothing asked", want: map[string]string{
			"response_type": "code", "client_id": "gatehouse", "redirect_uri": departure().RedirectURI, "scope": "openid profile email", "state": departure().State,
			"nonce": departure().Nonce, "code_challenge": challenge, "code_challenge_method": "S256", "prompt": "", "max_age": "", "acr_values": "", "response_mode": "",
		}},
		{name: "F22 pkce off", cfg: func(c *Config) { c.NoPKCE = true }, want: map[string]string{"code_challenge": "", "code_challenge_method": ""}},
		{name: "F22 S256 is named", script: func(d object) { d["code_challenge_methods_supported"] = []string{"plain", "S256"} }, want: map[string]string{"code_challenge": challenge}},
		{name: "F22 others are named", script: func(d object) { d["code_challenge_methods_supported"] = []string{"plain"} }, want: map[string]string{"code_challenge": ""}},
		{name: "form_post", cfg: func(c *Config) { c.ResponseMode = "form_post" }, want: map[string]string{"response_mode": "form_post"}},
		{name: "scopes without openid", cfg: func(c *Config) { c.Scopes = []string{"groups"} }, want: map[string]string{"scope": "openid groups"}},
		{name: "F77 parameters override nothing of ours", cfg: func(c *Config) {
			c.Parameters = []KeyValue{{"domain_hint", "a b+c"}, {"state", "x"}, {"redirect_uri", "https://evil.example"}, {"access_type", "offline"}}
		}, want: map[string]string{"domain_hint": "a b+c", "access_type": "offline", "state": departure().State, "redirect_uri": departure().RedirectURI}},
		{name: "F69 again, with an auth_time", asked: login.Asked{Again: true}, want: map[string]string{"prompt": "login", "max_age": "60"}},
		{name: "F69 again where prompt=login is not known", cfg: func(c *Config) { c.Prompts = []string{"select_account"} }, asked: login.Asked{Again: true}, want: map[string]string{"prompt": "", "max_age": "0"}},
		{name: "F68 again at Google", cfg: google, asked: login.Asked{Again: true}, reason: reasonCannotAsk},
		{name: "F69 max_age", asked: login.Asked{HasMaxAge: true, MaxAge: 300}, want: map[string]string{"max_age": "300", "prompt": ""}},
		{name: "F69 max_age=0", asked: login.Asked{HasMaxAge: true}, want: map[string]string{"max_age": "60", "prompt": "login"}},
		{name: "F69 max_age at Google", cfg: google, asked: login.Asked{HasMaxAge: true, MaxAge: 300}, reason: reasonCannotAsk},
		{name: "F59 another account", cfg: google, asked: login.Asked{SelectAccount: true}, want: map[string]string{"prompt": "select_account"}},
		{name: "F59 where select_account is not known", cfg: func(c *Config) { c.Prompts = []string{"login"} }, asked: login.Asked{SelectAccount: true}, want: map[string]string{"prompt": "login"}},
		{name: "a hint that cannot be given", cfg: func(c *Config) { c.Prompts = []string{"none"} }, asked: login.Asked{SelectAccount: true}, want: map[string]string{"prompt": ""}},
		{
			name: "F47 with the configured prompt", cfg: func(c *Config) { c.Parameters = []KeyValue{{"prompt", "consent"}} }, asked: login.Asked{SelectAccount: true, Again: true},
			want: map[string]string{"prompt": "consent login select_account"},
		},
		{
			name: "F71 an acr", cfg: func(c *Config) { c.ACRs = map[string]string{"silver": "urn:theirs:2fa", "gold": "g"} }, asked: login.Asked{ACRs: []string{"gold", "platinum", "silver"}},
			want: map[string]string{"acr_values": "g urn:theirs:2fa"},
		},
		{name: "F71 none that is mapped", cfg: func(c *Config) { c.ACRs = map[string]string{"silver": "s"} }, asked: login.Asked{ACRs: []string{"gold"}}, reason: reasonCannotAsk},
		{name: "hints", asked: login.Asked{LoginHint: `"><script>`, UILocales: "de"}, want: map[string]string{"login_hint": `"><script>`, "ui_locales": "de"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			p.metadata = tt.script
			cfg := p.config()
			if tt.cfg != nil {
				tt.cfg(&cfg)
			}
			d := departure()
			d.Asked = tt.asked
			to, err := start(t, cfg).Begin(d)
			if tt.reason != "" {
				want(t, err, login.FailedNotMet, tt.reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range tt.want {
				if got := u.Query()[name]; len(got) > 1 || u.Query().Get(name) != value || value == "" && u.Query().Has(name) {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
			for _, secret := range []string{"secret-1", d.Verifier, "+"} {
				if strings.Contains(to, secret) {
					t.Errorf("%q is in %s", secret, to)
				}
			}
		})
	}
}

// The provider's own query stays (B2C has its policy there).
func TestAuthorizationQueryStays(t *testing.T) {
	p := newProvider(t)
	p.metadata = func(d object) { d["authorization_endpoint"] = p.URL + "/authorize?p=b2c_1_policy" }
	to, err := start(t, p.config()).Begin(departure())
	if u, _ := url.Parse(to); err != nil || u.Query().Get("p") != "b2c_1_policy" || u.Query().Get("state") == "" {
		t.Errorf("%s, %v", to, err)
	}
}

// H3, F69 to F72: what was asked is checked when somebody comes.
func TestH3WhatWasAskedIsChecked(t *testing.T) {
	at := func(d time.Duration) func(object) {
		return func(c object) { c["auth_time"] = time.Now().Add(d).Unix() }
	}
	for _, tt := range []struct {
		name   string
		claims func(object)
		asked  login.Asked
		reason string
	}{
		{"F70 nothing asked, no auth_time", func(object) {}, login.Asked{}, ""},
		{"again, and they have", at(0), login.Asked{Again: true}, ""},
		{"again, within 60 s", at(-50 * time.Second), login.Asked{Again: true}, ""},
		{"H3 again, and they have not", at(-2 * time.Minute), login.Asked{Again: true}, reasonAuthTime},
		{"F70 again, and it is not said", func(object) {}, login.Asked{Again: true}, reasonAuthTime},
		{"F70 again, and it is said as a text", func(c object) { c["auth_time"] = "1" }, login.Asked{Again: true}, reasonAuthTime},
		{"F69 max_age", at(-5 * time.Minute), login.Asked{HasMaxAge: true, MaxAge: 300}, ""},
		{"F69 max_age is over", at(-7 * time.Minute), login.Asked{HasMaxAge: true, MaxAge: 300}, reasonAuthTime},
		{"F69 max_age, not said", func(object) {}, login.Asked{HasMaxAge: true, MaxAge: 300}, reasonAuthTime},
		{"F71 the acr", func(c object) { c["acr"] = "urn:2fa" }, login.Asked{ACRs: []string{"gold", "silver"}}, ""},
		{"F71 another one", func(c object) { c["acr"] = "urn:pwd" }, login.Asked{ACRs: []string{"silver"}}, reasonACR},
		{"H3 ours by its own name", func(c object) { c["acr"] = "silver" }, login.Asked{ACRs: []string{"silver"}}, reasonACR},
		{"F71 none", func(object) {}, login.Asked{ACRs: []string{"silver"}}, reasonACR},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			p.claims = tt.claims
			cfg := p.config()
			cfg.ACRs = map[string]string{"silver": "urn:2fa"}
			_, err := p.signIn(t, start(t, cfg), tt.asked)
			if tt.reason == "" {
				want(t, err, 0, "")
				return
			}
			want(t, err, login.FailedNotMet, tt.reason)
		})
	}
}
