package upstream

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// What a sign-in brings, all of it.
func TestArrival(t *testing.T) {
	p := newProvider(t)
	authTime := time.Now().Add(-time.Hour).Truncate(time.Second)
	p.claims = func(c object) {
		c["name"], c["email"], c["email_verified"], c["preferred_username"] = "Alice", "alice@example.com", true, "alice"
		c["picture"], c["locale"], c["zoneinfo"], c["dept"] = "https://example.com/a.png", "de", "Europe/Berlin", object{"name": "sales"}
		c["acr"], c["amr"], c["auth_time"], c["sid"], c["groups"] = "urn:2fa", []any{"pwd", "otp", "bad one"}, authTime.Unix(), "s1", []string{"staff"}
	}
	p.metadata = func(d object) { d["backchannel_logout_supported"] = true }
	cfg := p.config()
	cfg.Claims, cfg.ACRs, cfg.GroupsClaims, cfg.KeepIDToken = map[string]string{"department": "dept.name"}, map[string]string{"silver": "urn:2fa"}, []string{"groups"}, true
	who, err := p.signIn(t, start(t, cfg), login.Asked{})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"name": "Alice", "email": "alice@example.com", "email_verified": true, "preferred_username": "alice", "picture": "https://example.com/a.png",
		"locale": "de", "zoneinfo": "Europe/Berlin", "department": "sales",
	} {
		if who.Claims[name] != value {
			t.Errorf("%s is %v", name, who.Claims[name])
		}
	}
	if len(who.Claims) != 8 || who.ID != "00u1" || who.ACR != "silver" || !slices.Equal(who.AMR, []string{"pwd", "otp"}) || !who.AuthTime.Equal(authTime) ||
		who.ProviderSession != "s1" || who.ProviderSubject != "" || who.RefreshToken == "" || strings.Count(who.IDToken, ".") != 2 || who.Thin || who.GroupsUnknown {
		t.Errorf("%+v", who)
	}
	p.claims = func(c object) { c["sid"] = "S-1-5-21-1004336348" }
	cfg.KeepIDToken = false
	if who, err = p.signIn(t, start(t, cfg), login.Asked{}); err != nil || who.ProviderSession != "" || who.IDToken != "" {
		t.Errorf("F66: %+v, %v", who, err)
	}
}

// F54: names are cut and cleaned, pictures are addresses.
func TestF54Names(t *testing.T) {
	for name, want := range map[string]string{
		"Alice": "Alice", " Alice\u0000\u202eevil\u2066\n": "Aliceevil", "José": "José", strings.Repeat("ü", 300): strings.Repeat("ü", 200), "\u200f": "",
	} {
		if got := cleanName(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
	for picture, want := range map[string]bool{
		"https://example.com/a.png": true, "javascript:alert(1)": false, "data:image/png;base64,x": false, "": false, "https:///x": false, "https://example.com/" + strings.Repeat("x", 2000): false,
	} {
		if got := goodPicture(picture); got != want {
			t.Errorf("%q: %t", picture, got)
		}
	}
}

// F32: claims that are too large are a failure with the number, never cut.
func TestF32ClaimsTooLarge(t *testing.T) {
	p := newProvider(t)
	p.claims = func(c object) { c["bio"] = strings.Repeat("x", 5000) }
	cfg, h := p.config(), new(heard)
	cfg.Claims, cfg.Observer = map[string]string{"bio": "bio"}, h
	_, err := p.signIn(t, start(t, cfg), login.Asked{})
	want(t, err, login.FailedBroken, reasonTooLarge)
	if err == nil || !strings.Contains(err.Error(), "50") || !slices.Equal(h.take(), []oauth.Outcome{oauth.LoginTooLarge}) {
		t.Errorf("%v", err)
	}
}

// F55, F56, F57, F77: all lines have to hold, of several values one.
func TestF55F57Rules(t *testing.T) {
	person := object{
		"sub": "00u1", "email": "Alice@example.com", "email_verified": true, "hd": "example.com", "groups": []any{"staff"}, "level": 3, "flag": true, "roles": []any{"a", "b"},
	}
	with := func(name string, value any) object {
		o := maps.Clone(person)
		if o[name] = value; value == nil {
			delete(o, name)
		}
		return o
	}
	for _, tt := range []struct {
		rules  []Rule
		person object
		reason string // "" comes in
	}{
		{nil, person, ""},
		{[]Rule{{Kind: AllowAnyone}}, object{"sub": "00u1"}, ""},
		{[]Rule{{Kind: AllowEmailVerified}}, person, ""},
		{[]Rule{{Kind: AllowEmailVerified}}, with("email_verified", false), reasonNotAllowed},
		{[]Rule{{Kind: AllowEmailVerified}}, with("email_verified", nil), reasonNotAllowed},
		{[]Rule{{Kind: AllowEmailVerified}}, with("email", nil), reasonNotAllowed},
		{[]Rule{{Kind: AllowEmail, Values: []string{"bob@example.com", "aLICE@EXAMPLE.com"}}}, person, ""},
		{[]Rule{{Kind: AllowEmail, Values: []string{"alice@example.com"}}}, with("email_verified", false), reasonNotAllowed},
		{[]Rule{{Kind: AllowEmail, Values: []string{"alıce@example.com"}}}, person, reasonNotAllowed},
		{[]Rule{{Kind: AllowEmailDomain, Values: []string{"EXAMPLE.com"}}}, person, ""},
		{[]Rule{{Kind: AllowEmailDomain, Values: []string{"example.com"}}}, with("email", "a@evilexample.com"), reasonNotAllowed},
		{[]Rule{{Kind: AllowEmailDomain, Values: []string{"example.com"}}}, with("email", "a@example.com@evil.com"), reasonNotAllowed},
		{[]Rule{{Kind: AllowEmailDomain, Values: []string{"example.com"}}}, with("email", "a@sub.example.com"), reasonNotAllowed},
		{[]Rule{{Kind: AllowEmailDomain, Values: []string{"*.example.com"}}}, with("email", "a@sub.example.com"), ""},
		{[]Rule{{Kind: AllowEmailDomain, Values: []string{"*.example.com"}}}, person, reasonNotAllowed},
		{[]Rule{{Kind: AllowEmailDomain, Values: []string{"*.example.com"}}}, with("email", "a@evilexample.com"), reasonNotAllowed},
		{[]Rule{{Kind: AllowEmailDomain, Values: []string{"example.com"}}}, with("email_verified", false), reasonNotAllowed},
		{[]Rule{{Kind: AllowGroup, Values: []string{"admins", "staff"}}}, person, ""},
		{[]Rule{{Kind: AllowGroup, Values: []string{"Staff"}}}, person, reasonNotAllowed},
		{[]Rule{{Kind: AllowSubject, Values: []string{"00u2", "00u1"}}}, person, ""},
		{[]Rule{{Kind: AllowSubject, Values: []string{"00U1"}}}, person, reasonNotAllowed},
		{[]Rule{{Kind: AllowClaim, Claim: "hd", Values: []string{"example.com"}}}, person, ""},
		{[]Rule{{Kind: AllowClaim, Claim: "hd", Values: []string{"example.com"}}}, with("hd", nil), reasonNotAllowed},
		{[]Rule{{Kind: AllowClaim, Claim: "level", Values: []string{"3"}}}, person, ""},
		{[]Rule{{Kind: AllowClaim, Claim: "flag", Values: []string{"true"}}}, person, ""},
		{[]Rule{{Kind: AllowClaim, Claim: "roles", Values: []string{"c", "b"}}}, person, ""},
		{[]Rule{{Kind: AllowClaim, Claim: "roles", Values: []string{"c"}}}, person, reasonNotAllowed},
		{[]Rule{{Kind: AllowGroup, Values: []string{"staff"}}, {Kind: AllowSubject, Values: []string{"00u2"}}}, person, reasonNotAllowed},
	} {
		t.Run(fmt.Sprint(tt.rules), func(t *testing.T) {
			p := newProvider(t)
			p.claims = func(c object) { maps.Copy(c, tt.person) }
			cfg := p.config()
			cfg.Allow, cfg.GroupsClaims = tt.rules, []string{"groups"}
			_, err := p.signIn(t, start(t, cfg), login.Asked{})
			if tt.reason == "" {
				want(t, err, 0, "")
				return
			}
			want(t, err, login.FailedNotAllowed, tt.reason)
			if f := asFailed(err, ""); f.ID != "00u1" || f.Account == "" || !strings.HasPrefix(f.Rule, "allow ") {
				t.Errorf("%+v", f)
			}
		})
	}
}

// M22: two people have two IDs, also where several claims make it.
func TestM22SeveralSubjectClaims(t *testing.T) {
	c := Config{Subject: []string{"a", "b"}}
	for _, tt := range []struct {
		claims object
		id     string
	}{
		{object{"a": "x", "b": "y.z"}, "x.y.z"},
		{object{"a": "x.y", "b": "z"}, ""},
		{object{"a": "x", "b": ""}, ""},
		{object{"a": "x"}, ""},
		{object{"a": "x", "b": 7}, ""},
		{object{"a": strings.Repeat("x", 200), "b": strings.Repeat("y", 54)}, strings.Repeat("x", 200) + "." + strings.Repeat("y", 54)},
		{object{"a": strings.Repeat("x", 200), "b": strings.Repeat("y", 55)}, ""},
	} {
		if id, err := c.idOf(&facts{token: tt.claims}); id != tt.id || (err == nil) != (tt.id != "") {
			t.Errorf("%v: %q, %v", tt.claims, id, err)
		}
	}
}

// F31: Okta cuts at a hundred.
func TestF31Okta(t *testing.T) {
	for issuer, want := range map[string]bool{"https://acme.okta.com": true, "https://acme.okta.com/oauth2/x": true, "https://acme.example.com": false} {
		c := Config{Issuer: issuer}
		if got := c.cutByOkta(make([]string, 100)); got != want || c.cutByOkta(make([]string, 99)) {
			t.Errorf("%s: %t", issuer, got)
		}
	}
}

// H1: the fingerprint is the same for all users, and another for another provider.
func TestH1Fingerprint(t *testing.T) {
	make := func(edit func(*Config)) storage.Fingerprint {
		cfg := Config{Name: "company", Issuer: "https://login.example.com", ClientID: "gatehouse"}
		edit(&cfg)
		o, err := NewOIDC(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if o.Fingerprint(storage.TagSubject("company|a")) != o.Fingerprint(storage.TagSubject("company|b")) {
			t.Error("it depends on the user")
		}
		return o.Fingerprint(storage.UserTag{})
	}
	first := make(func(*Config) {})
	if first == (storage.Fingerprint{}) || make(func(c *Config) { c.Subject = []string{"sub"} }) != first || make(func(c *Config) { c.ClientID = "other" }) != first {
		t.Error("it is none, or depends on what is no identity")
	}
	for name, edit := range map[string]func(*Config){
		"name":          func(c *Config) { c.Name = "partner" },
		"issuer":        func(c *Config) { c.Issuer += "/" },
		"subject":       func(c *Config) { c.Subject = []string{"oid"} },
		"its own names": func(c *Config) { c.Subject = []string{"sub", "oid"} },
	} {
		if make(edit) == first {
			t.Errorf("another %s has the same", name)
		}
	}
}

// What the configuration says wrong is an error that names the fix.
func TestConfigErrors(t *testing.T) {
	for want, edit := range map[string]func(*Config){
		"without a bar":                  func(c *Config) { c.Name = "a|b" },
		"choose another":                 func(c *Config) { c.Name = "site" },
		"client_id is missing":           func(c *Config) { c.ClientID = "" },
		"the issuer is missing":          func(c *Config) { c.Issuer = "" },
		"tenants and an issuer":          func(c *Config) { c.Tenants = []string{"t"} },
		"issuer: ":                       func(c *Config) { c.Issuer = "http://login.example.com" },
		"endpoint token: ":               func(c *Config) { c.Endpoints.Token = "ftp://x" },
		"needs a client_key":             func(c *Config) { c.ClientAuth = AuthPrivateKeyJWT },
		"needs a client_secret":          func(c *Config) { c.ClientAuth = AuthPost },
		"is not known: basic":            func(c *Config) { c.ClientAuth = "digest" },
		"query or form_post":             func(c *Config) { c.ResponseMode = "fragment" },
		"HS256 stands alone":             func(c *Config) { c.Algorithms = append(c.Algorithms, HS256, "ES256") },
		"none is not known":              func(c *Config) { c.Algorithms = append(c.Algorithms, "none") },
		"email_domains: \"a b\"":         func(c *Config) { c.EmailDomains = []string{"a b"} },
		"allow email_domain: \".x\"":     func(c *Config) { c.Allow = []Rule{{Kind: AllowEmailDomain, Values: []string{".x"}}} },
		"allow group : it names nothing": func(c *Config) { c.Allow = []Rule{{Kind: AllowGroup}} },
		"rule 1 is of no kind":           func(c *Config) { c.Allow = []Rule{{}} },
	} {
		cfg := Config{Name: "company", Issuer: "https://login.example.com", ClientID: "gatehouse"}
		edit(&cfg)
		if _, err := NewOIDC(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	for _, issuer := range []string{"http://localhost:8080/realms/a", "http://127.0.0.1:1", "https://10.0.0.1/"} {
		if _, err := NewOIDC(Config{Name: "company", Issuer: issuer, ClientID: "gatehouse"}); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

// What discovery tells of the people of a login.
func TestAnnounced(t *testing.T) {
	o, err := NewOIDC(Config{
		Name: "company", Issuer: "https://login.example.com", ClientID: "gatehouse", Label: "", EmailDomains: []string{"EXAMPLE.com"},
		Claims: map[string]string{"department": "dept"}, ACRs: map[string]string{"silver": "s", "gold": "g"}, Schedule: login.Schedule{Recheck: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(o.Claims(), "department") || !slices.Contains(o.Claims(), "email_verified") || !slices.Equal(o.ACRs(), []string{"gold", "silver"}) {
		t.Errorf("%v, %v", o.Claims(), o.ACRs())
	}
	if o.Name() != "company" || o.Label() != "company" || !slices.Equal(o.Domains(), []string{"example.com"}) || o.Schedule().Recheck != time.Hour {
		t.Errorf("%s %s %v %v", o.Name(), o.Label(), o.Domains(), o.Schedule())
	}
}
