package upstream

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// C3, F38 to F42: what ends a login at a recheck is a closed list; the rest ends nobody.
func TestC3F38ToF42Rechecks(t *testing.T) {
	for _, tt := range []struct {
		name    string
		status  int
		code    string
		more    object
		failure login.Failure
		reason  string
	}{
		{"invalid_grant", 400, "invalid_grant", nil, login.FailedGone, reasonGrant},
		{"invalid_grant with 401", 401, "invalid_grant", nil, login.FailedGone, reasonGrant},
		{"GitHub's word, with 200", 200, "bad_refresh_token", nil, login.FailedGone, reasonGrant},
		{"Entra: idle or another password", 400, "invalid_grant", object{"error_codes": []int{700082}}, login.FailedGone, reasonGrant},
		{"C3 Entra: a second factor", 400, "invalid_grant", object{"error_codes": []int{50076}}, login.FailedDown, reasonInteraction},
		{"C3 Entra: to be set up", 400, "invalid_grant", object{"error_codes": []int{1, 50079}}, login.FailedDown, reasonInteraction},
		{"C3 Entra: conditional access", 400, "invalid_grant", object{"error_codes": []int{50158}}, login.FailedDown, reasonInteraction},
		{"C3 Entra: sign-in frequency", 400, "invalid_grant", object{"error_codes": []int{70043}}, login.FailedDown, reasonInteraction},
		{"C3 suberror", 400, "invalid_grant", object{"suberror": "basic_action"}, login.FailedDown, reasonInteraction},
		{"C3 interaction_required", 400, "interaction_required", nil, login.FailedDown, reasonInteraction},
		{"F40 invalid_client", 401, "invalid_client", nil, login.FailedBroken, reasonClient},
		{"F39 Dex: invalid_request", 400, "invalid_request", nil, login.FailedDown, reasonRequest},
		{"F39 Zoho", 400, "INVALID_OAUTHTOKEN", nil, login.FailedDown, reasonRequest},
		{"F38 invalid_grant with 404", 404, "invalid_grant", nil, login.FailedDown, reasonUnreachable},
		{"F41 invalid_grant with 500", 500, "invalid_grant", nil, login.FailedDown, reasonUnreachable},
		{"F44 429", 429, "invalid_grant", nil, login.FailedDown, reasonUnreachable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			p.token = func(w http.ResponseWriter, _ *http.Request) { p.refuse(w, tt.status, tt.code, tt.more) }
			h := new(heard)
			cfg := p.config()
			cfg.Observer = h
			_, err := start(t, cfg).Recheck(t.Context(), "00u1", "refresh-0")
			want(t, err, tt.failure, tt.reason)
			if told := slices.Contains(h.take(), oauth.LoginClientRefused); told != (tt.reason == reasonClient) {
				t.Errorf("told an operator: %t", told)
			}
		})
	}
	for name, answer := range map[string]http.HandlerFunc{
		"F41 an HTML 400": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(400)
			_, _ = w.Write([]byte("invalid_grant"))
		},
		"F41 a text": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(400)
			_, _ = w.Write([]byte("error=invalid_grant"))
		},
		"F42 no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			p.token = answer
			_, err := start(t, p.config()).Recheck(t.Context(), "00u1", "refresh-0")
			want(t, err, login.FailedDown, reasonUnreachable)
		})
	}
}

// A recheck brings the facts of today and the next refresh token; what it does not bring
// is thin or unknown, which is not none (F30, F37), and never loses the new token.
func TestF37WhatARecheckBrings(t *testing.T) {
	noIDToken := func(a object) { delete(a, "id_token") }
	staff := []Rule{{Kind: AllowGroup, Values: []string{"staff"}}}
	for _, tt := range []struct {
		name    string
		script  func(*provider)
		cfg     func(*Config)
		thin    bool
		unknown bool
		groups  []string
		failure login.Failure
		reason  string
	}{
		{name: "an ID token with groups", script: func(p *provider) { p.claims = func(c object) { c["groups"] = []string{"staff"} } }, groups: []string{"staff"}},
		{name: "no nonce is asked of it", script: func(p *provider) { p.claims = func(c object) { c["groups"], c["nonce"] = []string{}, "old" } }},
		{name: "F37 an ID token without the claim of groups", script: func(*provider) {}, unknown: true},
		{name: "F37 neither ID token nor userinfo", script: func(p *provider) { p.answer = noIDToken }, thin: true, unknown: true},
		{name: "F37 userinfo alone", script: func(p *provider) { p.answer = noIDToken; p.info = object{"sub": "00u1", "groups": []string{"b"}} }, groups: []string{"b"}},
		{name: "F37 userinfo is down", script: func(p *provider) {
			p.answer = noIDToken
			p.userinfo = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
		}, thin: true, unknown: true},
		{name: "F29 userinfo is down, and a claim is missing", script: func(p *provider) {
			p.userinfo = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
		}, cfg: func(c *Config) { c.Claims = map[string]string{"department": "dept"} }, thin: true, unknown: true},
		{name: "F29 userinfo is down, and the ID token has some of the groups", script: func(p *provider) {
			p.claims = func(c object) { c["groups"] = []string{"app"} }
			p.userinfo = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
		}, unknown: true, groups: []string{"app"}},
		{name: "F29 userinfo is down, and the group that is needed is not in the ID token", script: func(p *provider) {
			p.claims = func(c object) { c["groups"] = []string{"app"} }
			p.userinfo = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
		}, cfg: func(c *Config) { c.Allow = staff }, thin: true, unknown: true},
		{name: "the subject claim is missing", script: func(*provider) {}, cfg: func(c *Config) { c.Subject = []string{"oid"} }, thin: true, unknown: true},
		{name: "claims that are too large", script: func(p *provider) { p.claims = func(c object) { c["bio"] = make([]int, 5000) } }, cfg: func(c *Config) { c.Claims = map[string]string{"bio": "bio"} }, thin: true, unknown: true},
		{name: "another person's ID token", script: func(p *provider) { p.claims = func(c object) { c["sub"] = "00u2" } }, thin: true, unknown: true},
		{name: "another person's userinfo", script: func(p *provider) { p.answer = noIDToken; p.info = object{"sub": "00u2"} }, thin: true, unknown: true},
		{name: "userinfo of nobody", script: func(p *provider) { p.answer = noIDToken; p.info = object{"oid": "00u1"} }, cfg: func(c *Config) { c.Subject = []string{"oid"} }, thin: true, unknown: true},
		{name: "F18 a clock that is wrong", script: func(p *provider) { p.claims = func(c object) { c["iat"] = time.Now().Add(5 * time.Minute).Unix() } }, thin: true, unknown: true},
		{name: "an ID token for another", script: func(p *provider) { p.claims = func(c object) { c["aud"] = "other" } }, thin: true, unknown: true},
		{name: "an allow line does not hold any more", script: func(p *provider) { p.claims = func(c object) { c["groups"] = []string{} } }, cfg: func(c *Config) { c.Allow = staff }, failure: login.FailedNotAllowed, reason: reasonNotAllowed},
		{name: "F30 whether it holds is not known", script: func(*provider) {}, cfg: func(c *Config) { c.Allow = staff }, thin: true, unknown: true},
		{name: "an address that is missing", script: func(*provider) {}, cfg: func(c *Config) { c.Allow = []Rule{{Kind: AllowEmailVerified}} }, thin: true, unknown: true},
		{
			name: "an address that is verified no more", script: func(p *provider) {
				p.claims = func(c object) { c["email"], c["email_verified"] = "a@example.com", false }
			},
			cfg: func(c *Config) { c.Allow = []Rule{{Kind: AllowEmailVerified}} }, failure: login.FailedNotAllowed, reason: reasonNotAllowed,
		},
		{name: "a line that is lost beside one that is unclear", script: func(*provider) {}, cfg: func(c *Config) { c.Allow = append(staff, Rule{Kind: AllowSubject, Values: []string{"x"}}) }, failure: login.FailedNotAllowed, reason: reasonNotAllowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			tt.script(p)
			cfg := p.config()
			cfg.GroupsClaims = []string{"groups"}
			if tt.cfg != nil {
				tt.cfg(&cfg)
			}
			who, err := start(t, cfg).Recheck(t.Context(), "00u1", "refresh-0")
			want(t, err, tt.failure, tt.reason)
			if err != nil {
				return
			}
			if who.ID != "00u1" || who.Thin != tt.thin || who.GroupsUnknown != tt.unknown || !slices.Equal(who.Groups, tt.groups) || who.RefreshToken != "refresh-1" || who.Thin && who.Claims != nil {
				t.Errorf("%+v", who)
			}
		})
	}
}

// F44: a provider that says to wait is not asked again before; F46: without a refresh
// token nothing can be asked.
func TestF44F46Waiting(t *testing.T) {
	p := newProvider(t)
	cfg, clock := p.config(), newClock()
	cfg.Clock = clock.now
	o := start(t, cfg)
	_, err := o.Recheck(t.Context(), "00u1", "")
	want(t, err, login.FailedDown, reasonGrant)
	p.token = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		p.refuse(w, http.StatusTooManyRequests, "slow_down")
	}
	_, err = o.Recheck(t.Context(), "00u1", "refresh-0")
	want(t, err, login.FailedDown, reasonUnreachable)
	p.mu.Lock()
	p.token = nil
	p.mu.Unlock()
	before := p.count("/token")
	_, err = o.Recheck(t.Context(), "00u1", "refresh-0")
	want(t, err, login.FailedDown, reasonThrottled)
	if p.count("/token") != before {
		t.Error("it was asked")
	}
	clock.add(31 * time.Second)
	who, err := o.Recheck(t.Context(), "00u1", "refresh-0")
	want(t, err, 0, "")
	if who, err = o.Recheck(t.Context(), "00u1", who.RefreshToken); err != nil || who.RefreshToken == "refresh-0" {
		t.Errorf("%+v, %v", who, err)
	}
	_, err = o.Recheck(t.Context(), "00u1", "refresh-0")
	want(t, err, login.FailedGone, reasonGrant)
}

// A provider that does not rotate: the token of before stays.
func TestRecheckWithoutRotation(t *testing.T) {
	p := newProvider(t)
	p.answer = func(a object) { delete(a, "refresh_token") }
	who, err := start(t, p.config()).Recheck(t.Context(), "00u1", "refresh-0")
	if err != nil || who.RefreshToken != "refresh-0" {
		t.Errorf("%+v, %v", who, err)
	}
}

// LOG-20: while the provider is away nothing is known of it.
func TestRecheckWithoutDiscovery(t *testing.T) {
	p := newProvider(t)
	p.metadata = func(d object) { d["issuer"] = "x" }
	_, err := start(t, p.config()).Recheck(t.Context(), "00u1", "refresh-0")
	want(t, err, login.FailedDown, reasonNoDiscovery)
}
