package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// F25, F28, F29, LOG-16: userinfo only adds, is about the same person, and its failure
// is trouble only where something of it is needed.
func TestF25F28F29LOG16Userinfo(t *testing.T) {
	jwt := func(edit func(p *provider, claims object), sign func(p *provider, payload []byte) string) func(*provider) {
		return func(p *provider) {
			p.userinfo = func(w http.ResponseWriter, _ *http.Request) {
				claims := object{"sub": "00u1", "iss": p.URL, "aud": "gatehouse", "department": "sales"}
				edit(p, claims)
				payload, _ := json.Marshal(claims)
				w.Header().Set("Content-Type", "application/jwt")
				_, _ = w.Write([]byte(sign(p, payload)))
			}
		}
	}
	good := func(p *provider, payload []byte) string { token, _ := jose.Sign(p.key, "JWT", payload); return token }
	keep := func(*provider, object) {}
	needs := func(c *Config) { c.Claims = map[string]string{"department": "department"} }
	status := func(code int) func(*provider) {
		return func(p *provider) { p.userinfo = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) } }
	}
	body := func(text string) func(*provider) {
		return func(p *provider) {
			p.userinfo = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
		}
	}
	for _, tt := range []struct {
		name    string
		script  func(*provider)
		cfg     func(*Config)
		failure login.Failure
		reason  string
		has     bool // department
	}{
		{name: "none is announced", script: func(*provider) {}},
		{name: "it adds", script: func(p *provider) { p.info = object{"sub": "00u1", "department": "sales"} }, cfg: needs, has: true},
		{name: "it is not asked", script: func(p *provider) { p.info = object{"sub": "00u2"} }, cfg: func(c *Config) { c.NoUserinfo = true }},
		{name: "LOG-16 another sub", script: func(p *provider) { p.info = object{"sub": "00u2"} }, failure: login.FailedForged, reason: reasonUserinfo},
		{name: "LOG-16 no sub", script: func(p *provider) { p.info = object{"department": "sales"} }, failure: login.FailedForged, reason: reasonUserinfo},
		{name: "LOG-16 sub in a list", script: func(p *provider) { p.info = object{"sub": []string{"00u1"}} }, failure: login.FailedForged, reason: reasonUserinfo},
		{name: "LOG-16 Sub", script: func(p *provider) { p.info = object{"Sub": "00u1"} }, failure: login.FailedForged, reason: reasonUserinfo},
		{name: "F29 down and not needed", script: status(503)},
		{name: "F29 down and needed", script: status(503), cfg: needs, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "F29 refused and not needed", script: status(403)},
		{name: "F29 down, and what is needed is in the ID token", script: func(p *provider) {
			status(503)(p)
			p.claims = func(c object) { c["department"] = "sales" }
		}, cfg: needs, has: true},
		{name: "F29 down, and a rule needs it", script: status(503), cfg: func(c *Config) { c.Allow = []Rule{{Kind: AllowEmailVerified}} }, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "F29 down, and a rule of groups needs it", script: status(503), cfg: func(c *Config) {
			c.GroupsClaims, c.Allow = []string{"groups"}, []Rule{{Kind: AllowGroup, Values: []string{"staff"}}}
		}, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "F29 down, and the ID token has the group", script: func(p *provider) {
			status(503)(p)
			p.claims = func(c object) { c["groups"] = []string{"staff"} }
		}, cfg: func(c *Config) {
			c.GroupsClaims, c.Allow = []string{"groups"}, []Rule{{Kind: AllowGroup, Values: []string{"staff"}}}
		}},
		{name: "F29 down, and the ID token has other groups", script: func(p *provider) {
			status(503)(p)
			p.claims = func(c object) { c["groups_direct"] = []string{"acme/app"} }
		}, cfg: func(c *Config) {
			c.GroupsClaims, c.Allow = []string{"groups", "groups_direct"}, []Rule{{Kind: AllowGroup, Values: []string{"acme"}}}
		}, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "F29 down, and the flag of the address is there", script: func(p *provider) {
			status(503)(p)
			p.claims = func(c object) { c["email"] = "alice@example.com" }
		}, cfg: func(c *Config) { c.Allow = []Rule{{Kind: AllowEmailDomain, Values: []string{"example.com"}}} }, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "F29 down, and the ID token has the flag", script: func(p *provider) {
			status(503)(p)
			p.claims = func(c object) { c["email"], c["email_verified"] = "alice@example.com", true }
		}, cfg: func(c *Config) { c.Allow = []Rule{{Kind: AllowEmailDomain, Values: []string{"example.com"}}} }},
		{name: "F29 down, and the subject needs it", script: status(503), cfg: func(c *Config) { c.Subject = []string{"employee"} }, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "no JSON", script: body("<html>"), cfg: needs, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "sub twice", script: body(`{"sub":"00u2","sub":"00u1","department":"x"}`), cfg: needs, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "F19 50 MiB", script: body(`{"sub":"` + strings.Repeat("x", 50<<20)), cfg: needs, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "F25 signed", script: jwt(keep, good), cfg: needs, has: true},
		{name: "F25 signed, without iss and aud", script: jwt(func(_ *provider, c object) { delete(c, "iss"); delete(c, "aud") }, good), cfg: needs, has: true},
		{name: "F25 another iss", script: jwt(func(_ *provider, c object) { c["iss"] = "https://evil.example" }, good), failure: login.FailedForged, reason: reasonUserinfo},
		{name: "F25 another aud", script: jwt(func(_ *provider, c object) { c["aud"] = "other" }, good), failure: login.FailedForged, reason: reasonUserinfo},
		{name: "F25 it has ended", script: jwt(func(_ *provider, c object) { c["exp"] = time.Now().Add(-time.Hour).Unix() }, good), failure: login.FailedForged, reason: reasonUserinfo},
		{name: "F25 another sub", script: jwt(func(_ *provider, c object) { c["sub"] = "00u2" }, good), failure: login.FailedForged, reason: reasonUserinfo},
		{name: "F25 alg none", script: jwt(keep, func(_ *provider, payload []byte) string {
			return compact(`{"alg":"none"}`, payload, func(string) []byte { return []byte("x") })
		}), failure: login.FailedForged, reason: reasonUserinfo},
		{name: "F25 HS256", script: jwt(keep, func(_ *provider, payload []byte) string {
			return compact(`{"alg":"HS256"}`, payload, hs256([]byte("secret-1")))
		}), failure: login.FailedForged, reason: reasonUserinfo},
		{name: "F25 another key", script: jwt(keep, func(_ *provider, payload []byte) string {
			key, _ := jose.GenerateKey(jose.ES256)
			token, _ := jose.Sign(key, "JWT", payload)
			return token
		}), failure: login.FailedForged, reason: reasonUserinfo},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			tt.script(p)
			cfg := p.config()
			if tt.cfg != nil {
				tt.cfg(&cfg)
			}
			who, err := p.signIn(t, start(t, cfg), login.Asked{})
			want(t, err, tt.failure, tt.reason)
			if err == nil && (who.Claims["department"] == "sales") != tt.has {
				t.Errorf("%v", who.Claims)
			}
		})
	}
}

// F28: what userinfo lies about does not count where the ID token has spoken, and some
// of it never.
func TestF28UserinfoLies(t *testing.T) {
	p := newProvider(t)
	authTime := time.Now().Add(-time.Minute).Unix()
	p.claims = func(c object) {
		c["name"], c["email"], c["auth_time"] = "Alice", "alice@example.com", authTime
	}
	p.info = object{
		"sub": "00u1", "iss": "https://evil.example", "aud": "other", "name": "Mallory", "acr": "urn:2fa", "amr": []string{"mfa"}, "auth_time": time.Now().Unix(), "sid": "theirs",
		"email": "boss@example.com", "email_verified": true, "groups": []string{"staff"},
	}
	cfg := p.config()
	cfg.ACRs, cfg.GroupsClaims = map[string]string{"silver": "urn:2fa"}, []string{"groups"}
	who, err := p.signIn(t, start(t, cfg), login.Asked{})
	if err != nil {
		t.Fatal(err)
	}
	if who.ACR != "" || who.AMR != nil || who.ProviderSession != "" || who.AuthTime.Unix() != authTime || who.Claims["name"] != "Alice" {
		t.Errorf("%+v", who)
	}
	if who.Claims["email"] != "alice@example.com" || who.Claims["email_verified"] != false || !slices.Equal(who.Groups, []string{"staff"}) {
		t.Errorf("%+v", who)
	}
}

// LOG-17, F26, F53, F55, C6: whose an address is.
func TestLOG17F26F55Emails(t *testing.T) {
	for _, tt := range []struct {
		name     string
		claims   object // of the ID token
		info     object
		cfg      Config
		address  string // "" for none
		verified bool
	}{
		{name: "true", claims: object{"email": "a@example.com", "email_verified": true}, address: "a@example.com", verified: true},
		{name: "F26 the text true", claims: object{"email": "a@example.com", "email_verified": "true"}, address: "a@example.com", verified: true},
		{name: "F26 1", claims: object{"email": "a@example.com", "email_verified": json.Number("1")}, address: "a@example.com", verified: true},
		{name: "LOG-17 false", claims: object{"email": "a@example.com", "email_verified": false}, address: "a@example.com"},
		{name: "F26 null", claims: object{"email": "a@example.com", "email_verified": nil}, address: "a@example.com"},
		{name: "F26 TRUE", claims: object{"email": "a@example.com", "email_verified": "TRUE"}, address: "a@example.com"},
		{name: "F26 2", claims: object{"email": "a@example.com", "email_verified": json.Number("2")}, address: "a@example.com"},
		{name: "F26 a list", claims: object{"email": "a@example.com", "email_verified": []any{true}}, address: "a@example.com"},
		{name: "nothing said", claims: object{"email": "a@example.com"}, address: "a@example.com"},
		{name: "of userinfo", info: object{"email": "a@example.com", "email_verified": true}, address: "a@example.com", verified: true},
		{name: "the flag of the same address", claims: object{"email": "a@example.com"}, info: object{"email": "a@example.com", "email_verified": true}, address: "a@example.com", verified: true},
		{name: "the flag of another address", claims: object{"email": "boss@example.com"}, info: object{"email": "a@example.com", "email_verified": true}, address: "boss@example.com"},
		{name: "a flag without an address", claims: object{"email_verified": true}, info: object{"email": "a@example.com"}, address: "a@example.com"},
		{name: "trusted", claims: object{"email": "a@example.com"}, cfg: Config{EmailTrusted: true}, address: "a@example.com", verified: true},
		{name: "C6 inside", claims: object{"email": "a@EXAMPLE.com", "email_verified": true}, cfg: Config{EmailDomains: []string{"example.com"}}, address: "a@EXAMPLE.com", verified: true},
		{name: "C6 outside", claims: object{"email": "a@example.org", "email_verified": true}, cfg: Config{EmailDomains: []string{"example.com"}}, address: "a@example.org"},
		{name: "C6 outside, trusted", claims: object{"email": "a@example.org"}, cfg: Config{EmailDomains: []string{"example.com"}, EmailTrusted: true}, address: "a@example.org"},
		{name: "F55 a suffix", claims: object{"email": "a@evilexample.com", "email_verified": true}, cfg: Config{EmailDomains: []string{"example.com"}}, address: "a@evilexample.com"},
		{name: "F55 below", claims: object{"email": "a@x.example.com", "email_verified": true}, cfg: Config{EmailDomains: []string{"example.com"}}, address: "a@x.example.com"},
		{name: "F55 an IDN", claims: object{"email": "a@bücher.example", "email_verified": true}, cfg: Config{EmailDomains: []string{"xn--bcher-kva.example"}}, address: "a@bücher.example", verified: true},
		{name: "F55 two @", claims: object{"email": "a@example.com@evil.com", "email_verified": true}},
		{name: "no @", claims: object{"email": "example.com", "email_verified": true}},
		{name: "no name", claims: object{"email": "@example.com", "email_verified": true}},
		{name: "no domain", claims: object{"email": "a@", "email_verified": true}},
		{name: "a dot at the end", claims: object{"email": "a@example.com.", "email_verified": true}},
		{name: "a control", claims: object{"email": "a\n@example.com", "email_verified": true}},
		{name: "a blank", claims: object{"email": "a b@example.com", "email_verified": true}},
		{name: "quotes", claims: object{"email": `"a@b"@example.com`, "email_verified": true}},
		{name: "a right-to-left mark", claims: object{"email": "a\u202e@example.com", "email_verified": true}},
		{name: "too long", claims: object{"email": strings.Repeat("a", 250) + "@example.com", "email_verified": true}},
		{name: "a list", claims: object{"email": []any{"a@example.com"}, "email_verified": true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.cfg.checkDomains(); err != nil {
				t.Fatal(err)
			}
			got := tt.cfg.emailOf(&facts{token: tt.claims, info: tt.info})
			if got.address != tt.address || got.verified != tt.verified {
				t.Errorf("%+v", got)
			}
		})
	}
}

// F30 to F34: groups in every form, of both places.
func TestF30ToF34Groups(t *testing.T) {
	for _, tt := range []struct {
		name   string
		paths  []string
		token  string
		info   string
		groups []string
	}{
		{"a list", []string{"groups"}, `{"groups":["b","a","a",""]}`, `{}`, []string{"a", "b"}},
		{"F33 one text is not split", []string{"groups"}, `{"groups":"a b,c"}`, `{}`, []string{"a b,c"}},
		{"F33 objects by name", []string{"groups"}, `{"groups":[{"id":"1","name":"a"},{"id":"2"},{"value":"3"},7]}`, `{}`, []string{"2", "3", "a"}},
		{"F33 the keys of an object", []string{"urn:zitadel:iam:org:project:roles"}, `{"urn:zitadel:iam:org:project:roles":{"admin":{"1":"x"},"user":{}}}`, `{}`, []string{"admin", "user"}},
		{"F34 a path", []string{"realm_access.roles"}, `{"realm_access":{"roles":["a"]}}`, `{}`, []string{"a"}},
		{"F34 a name with dots first", []string{"realm_access.roles"}, `{"realm_access.roles":["b"],"realm_access":{"roles":["a"]}}`, `{}`, []string{"b"}},
		{"F34 a URL", []string{"https://example.com/roles"}, `{"https://example.com/roles":["a"]}`, `{}`, []string{"a"}},
		{"F34 a dot of a name in a path", []string{`resource_access.my\.app.roles`}, `{"resource_access":{"my.app":{"roles":["a"]}}}`, `{}`, []string{"a"}},
		{"a path through a text", []string{"a.b"}, `{"a":"x"}`, `{}`, nil},
		{"F29 the union of both", []string{"groups", "roles"}, `{"groups":["a"]}`, `{"groups":["b"],"roles":["c"]}`, []string{"a", "b", "c"}},
		{"null", []string{"groups"}, `{"groups":null}`, `{}`, nil},
		{"a number", []string{"groups"}, `{"groups":7}`, `{}`, nil},
		{"controls and long ones", []string{"groups"}, `{"groups":["a\u0007","` + strings.Repeat("x", 256) + `","ok"]}`, `{}`, []string{"ok"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{GroupsClaims: tt.paths}
			token, err := readObject([]byte(tt.token))
			if err != nil {
				t.Fatal(err)
			}
			info, err := readObject([]byte(tt.info))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.groups(&facts{token: token, info: info}); !slices.Equal(got, tt.groups) {
				t.Errorf("%q, want %q", got, tt.groups)
			}
		})
	}
}

// F30: too many groups for an ID token: Graph has them, or they are unknown, which is not none.
func TestF30Overage(t *testing.T) {
	hint := func(c object) {
		c["_claim_names"] = object{"groups": "src1"}
		c["_claim_sources"] = object{"src1": object{"endpoint": "https://graph.windows.net/x"}}
	}
	pages := func(p *provider) {
		p.paths["/graph"] = func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+accessToken {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			n := 0
			_, _ = fmt.Sscan(r.URL.Query().Get("page"), &n)
			page := object{"value": []object{{"id": fmt.Sprint("g", n)}}}
			if n < 3 {
				page["@odata.nextLink"] = fmt.Sprint(p.URL, "/graph?page=", n+1)
			}
			p.say(w, 200, page)
		}
	}
	next := func(link string) func(*provider) {
		return func(p *provider) {
			p.paths["/graph"] = func(w http.ResponseWriter, _ *http.Request) {
				p.say(w, 200, object{"value": []object{{"id": "g"}}, "@odata.nextLink": link})
			}
		}
	}
	other := newProvider(t)
	other.paths["/graph"] = func(w http.ResponseWriter, _ *http.Request) {
		other.say(w, 200, object{"value": []object{{"id": "admins"}}})
	}
	for _, tt := range []struct {
		name    string
		script  func(*provider)
		overage bool
		unknown bool
	}{
		{"pages of Graph", func(p *provider) { p.claims = hint; pages(p) }, true, false},
		{"hasgroups", func(p *provider) { p.claims = func(c object) { c["hasgroups"] = true }; pages(p) }, true, false},
		{"Graph is not to be asked", func(p *provider) { p.claims = hint; pages(p) }, false, true},
		{"Graph refuses", func(p *provider) { p.claims = hint }, true, true},
		{"Graph leads elsewhere", func(p *provider) { p.claims = hint; next(other.URL + "/graph")(p) }, true, true},
		{"Graph never ends", func(p *provider) { p.claims = hint; next(p.URL + "/graph")(p) }, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			tt.script(p)
			cfg := p.config()
			cfg.GroupsClaims, cfg.Overage, cfg.Endpoints.Graph = []string{"groups"}, tt.overage, p.URL+"/graph"
			who, err := p.signIn(t, start(t, cfg), login.Asked{})
			if err != nil {
				t.Fatal(err)
			}
			if who.GroupsUnknown != tt.unknown || !tt.unknown && !slices.Equal(who.Groups, []string{"g0", "g1", "g2", "g3"}) {
				t.Errorf("%v, unknown %t", who.Groups, who.GroupsUnknown)
			}
			cfg.Allow = []Rule{{Kind: AllowGroup, Values: []string{"g3"}}}
			_, err = p.signIn(t, start(t, cfg), login.Asked{})
			if other.count("/graph") != 0 {
				t.Error("the access token went elsewhere")
			}
			if tt.unknown {
				want(t, err, login.FailedNotAllowed, reasonGroupsUnknown)
				return
			}
			want(t, err, 0, "")
		})
	}
}

// F29, F30: groups that userinfo may have had are unknown while it is down.
func TestF29GroupsWithoutUserinfo(t *testing.T) {
	p := newProvider(t)
	p.userinfo = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	cfg := p.config()
	cfg.GroupsClaims = []string{"groups"}
	who, err := p.signIn(t, start(t, cfg), login.Asked{})
	if err != nil || !who.GroupsUnknown {
		t.Errorf("%+v, %v", who, err)
	}
	p.claims = func(c object) { c["groups"] = []string{"a"} }
	if who, err = p.signIn(t, start(t, cfg), login.Asked{}); err != nil || !who.GroupsUnknown || !slices.Equal(who.Groups, []string{"a"}) {
		t.Errorf("%+v, %v", who, err)
	}
}
