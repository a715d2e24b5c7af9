package upstream

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// compact writes a token whose signature is made by hand.
func compact(header string, payload []byte, sign func(input string) []byte) string {
	enc := base64.RawURLEncoding
	input := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString(payload)
	return input + "." + enc.EncodeToString(sign(input))
}

func hs256(key []byte) func(string) []byte {
	return func(input string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	}
}

// LOG-11, LOG-12, F18, F27, M11: an ID token that is not good signs nobody in. The provider
// itself is the attacker, or stands wrong.
func TestLOG11And12IDTokens(t *testing.T) {
	set := func(name string, value any) func(*provider) {
		return func(p *provider) { p.claims = func(c object) { c[name] = value } }
	}
	without := func(name string) func(*provider) {
		return func(p *provider) { p.claims = func(c object) { delete(c, name) } }
	}
	at := func(name string, d time.Duration) func(*provider) { return set(name, time.Now().Add(d).Unix()) }
	raw := func(edit func(payload string) string) func(*provider) {
		return func(p *provider) {
			p.sign = func(payload []byte) string {
				token, _ := jose.Sign(p.key, "JWT", []byte(edit(string(payload))))
				return token
			}
		}
	}
	for _, tt := range []struct {
		name   string
		evil   func(*provider)
		reason string // "" passes
	}{
		{"a good one", func(*provider) {}, ""},
		{"LOG-12 another iss", set("iss", "https://evil.example"), reasonTokenIssuer},
		{"LOG-12 iss with a slash", func(p *provider) { p.claims = func(c object) { c["iss"] = p.URL + "/" } }, reasonTokenIssuer},
		{"LOG-12 no iss", without("iss"), reasonTokenIssuer},
		{"LOG-12 another aud", set("aud", "other"), reasonAudience},
		{"LOG-12 no aud", without("aud"), reasonAudience},
		{"LOG-12 aud a number", set("aud", 7), reasonAudience},
		{"LOG-12 several aud, no azp", set("aud", []string{"other", "gatehouse"}), reasonAudience},
		{"LOG-12 one aud in a list", set("aud", []string{"gatehouse"}), ""},
		{"LOG-12 another azp", set("azp", "other"), reasonAudience},
		{"M11 azp a list", set("azp", []string{"gatehouse"}), reasonAudience},
		{"M11 several aud and azp", func(p *provider) {
			p.claims = func(c object) { c["aud"], c["azp"] = []string{"other", "gatehouse"}, "gatehouse" }
		}, ""},
		{"LOG-11 another nonce", set("nonce", "nonce-of-22-charactersX"), reasonNonce},
		{"LOG-11 no nonce", without("nonce"), reasonNonce},
		{"LOG-11 an empty nonce", set("nonce", ""), reasonNonce},
		{"M11 at_hash of another token", set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), reasonHash},
		{"M11 at_hash a number", set("at_hash", 7), reasonHash},
		{"M11 at_hash", func(p *provider) {
			sum := sha256.Sum256([]byte(accessToken))
			p.claims = func(c object) { c["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:16]) }
		}, ""},
		{"F18 ended 50 s ago", at("exp", -50*time.Second), ""},
		{"LOG-12 ended 70 s ago", at("exp", -70*time.Second), reasonTime},
		{"F18 made 50 s ahead", at("iat", 50*time.Second), ""},
		{"F18 made 70 s ahead", at("iat", 70*time.Second), reasonTime},
		{"LOG-12 made a week ago", at("iat", -7*24*time.Hour), reasonTime},
		{"F18 begins 50 s ahead", at("nbf", 50*time.Second), ""},
		{"F18 begins 70 s ahead", at("nbf", 70*time.Second), reasonTime},
		{"LOG-12 no exp", without("exp"), reasonTime},
		{"LOG-12 no iat", without("iat"), reasonTime},
		{"F27 no sub", without("sub"), reasonSubject},
		{"F27 an empty sub", set("sub", ""), reasonSubject},
		{"F27 sub a number", set("sub", 7), reasonSubject},
		{"F27 sub a list", set("sub", []string{"00u1"}), reasonSubject},
		{"F27 Sub", func(p *provider) { p.claims = func(c object) { c["Sub"] = c["sub"]; delete(c, "sub") } }, reasonSubject},
		{"M22 sub of 255 bytes", set("sub", strings.Repeat("x", 255)), ""},
		{"M22 sub of 256 bytes", set("sub", strings.Repeat("x", 256)), reasonSubject},
		{"M22 a control in sub", set("sub", "00u1\n"), reasonSubject},
		{"M22 C1 control in sub", set("sub", "00u1\u0085"), reasonSubject},
		{"F27 sub twice", raw(func(s string) string { return `{"sub":"admin",` + s[1:] }), reasonIDToken},
		{"F27 iss twice in another case", raw(func(s string) string { return s[:len(s)-1] + `,"ISS":"https://evil.example"}` }), reasonIDToken},
		{"LOG-12 no JSON", raw(func(string) string { return "[]" }), reasonIDToken},
		{"LOG-12 alg none", func(p *provider) {
			p.sign = func(payload []byte) string {
				return compact(`{"alg":"none"}`, payload, func(string) []byte { return nil })
			}
		}, reasonIDToken},
		{"LOG-12 alg none with a signature", func(p *provider) {
			p.sign = func(payload []byte) string {
				return compact(`{"alg":"none"}`, payload, func(string) []byte { return []byte("x") })
			}
		}, reasonAlgorithm},
		{"F24 HS256 with the client secret", func(p *provider) {
			p.sign = func(payload []byte) string { return compact(`{"alg":"HS256"}`, payload, hs256([]byte("secret-1"))) }
		}, reasonAlgorithm},
		{"LOG-12 HS256 with the public key", func(p *provider) {
			p.sign = func(payload []byte) string {
				return compact(`{"alg":"HS256","kid":"`+p.key.ID()+`"}`, payload, hs256(keySetOf(p.t, p.key.Public())))
			}
		}, reasonAlgorithm},
		{"LOG-12 a foreign kid", func(p *provider) {
			other, _ := jose.GenerateKey(jose.ES256)
			p.sign = func(payload []byte) string { token, _ := jose.Sign(other, "JWT", payload); return token }
		}, reasonSignature},
		{"LOG-12 our kid, another key", func(p *provider) {
			other, _ := jose.GenerateKey(jose.ES256)
			p.sign = func(payload []byte) string {
				token, _ := jose.Sign(other, "JWT", payload)
				_, rest, _ := strings.Cut(token, ".")
				return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"`+p.key.ID()+`"}`)) + "." + rest
			}
		}, reasonSignature},
		{"LOG-12 a signature that is cut", func(p *provider) {
			p.sign = func(payload []byte) string {
				return compact(`{"alg":"ES256","kid":"`+p.key.ID()+`"}`, payload, func(string) []byte { return make([]byte, 60) })
			}
		}, reasonSignature},
		{"an access token in its place", func(p *provider) {
			p.sign = func(payload []byte) string { token, _ := jose.Sign(p.key, "at+jwt", payload); return token }
		}, reasonIDToken},
		{"a logout token in its place", func(p *provider) {
			p.sign = func(payload []byte) string { token, _ := jose.Sign(p.key, "logout+jwt", payload); return token }
		}, reasonIDToken},
		{"critical extensions", func(p *provider) {
			p.sign = func(payload []byte) string {
				return compact(`{"alg":"ES256","crit":["b64"],"b64":false}`, payload, func(string) []byte { return make([]byte, 64) })
			}
		}, reasonIDToken},
		{"no JWT at all", func(p *provider) { p.sign = func([]byte) string { return "x" } }, reasonIDToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			tt.evil(p)
			cfg, h := p.config(), new(heard)
			cfg.Observer = h
			who, err := p.signIn(t, start(t, cfg), login.Asked{})
			if tt.reason == "" {
				want(t, err, 0, "")
				if err == nil && who.ID == "" {
					t.Errorf("%+v", who)
				}
				return
			}
			want(t, err, login.FailedForged, tt.reason)
			if told := slices.Contains(h.take(), oauth.LoginBadIDToken); told != (tt.reason != reasonNonce) {
				t.Errorf("told an operator: %t", told)
			}
		})
	}
}

// LOG-12: no ID token is no sign-in, and F21: without nonce where the operator says so.
func TestF21AndNoIDToken(t *testing.T) {
	p := newProvider(t)
	p.answer = func(a object) { delete(a, "id_token") }
	_, err := p.signIn(t, start(t, p.config()), login.Asked{})
	want(t, err, login.FailedBroken, reasonIDToken)
	p.answer = nil
	cfg := p.config()
	cfg.NoNonce = true
	o := start(t, cfg)
	if to, err := o.Begin(departure()); err != nil || strings.Contains(to, "nonce") {
		t.Errorf("%s, %v", to, err)
	}
	_, err = p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
}

// LOG-11: a departure without a nonce takes no ID token without one.
func TestLOG11DepartureWithoutNonce(t *testing.T) {
	p := newProvider(t)
	o, d := start(t, p.config()), departure()
	d.Nonce = ""
	to, err := o.Begin(d)
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.Finish(t.Context(), d, p.authorize(t, to))
	want(t, err, login.FailedForged, reasonNonce)
}

// F24: HS256 by the client secret where that alone is listed, with every secret, and no
// key set is asked for.
func TestF24HS256(t *testing.T) {
	p := newProvider(t)
	secret := "secret-of-the-channel"
	p.secrets = []string{secret}
	cfg := p.config()
	cfg.Algorithms = []jose.Algorithm{HS256}
	cfg.ClientSecrets = func() ([]string, error) { return []string{secret, "old"}, nil }
	for _, tt := range []struct {
		key, header, reason string
		failure             login.Failure
	}{
		{secret, `{"alg":"HS256"}`, "", 0},
		{"old", `{"alg":"HS256"}`, "", 0},
		{"", `{"alg":"HS256"}`, reasonSignature, login.FailedForged},
		{"other", `{"alg":"HS256"}`, reasonSignature, login.FailedForged},
		{secret, `{"alg":"HS512"}`, reasonAlgorithm, login.FailedForged},
		{secret, `{"alg":"ES256"}`, reasonAlgorithm, login.FailedForged},
	} {
		p.sign = func(payload []byte) string { return compact(tt.header, payload, hs256([]byte(tt.key))) }
		_, err := p.signIn(t, start(t, cfg), login.Asked{})
		want(t, err, tt.failure, tt.reason)
	}
	if p.count("/keys") != 0 {
		t.Error("the key set was asked for")
	}
	cfg.ClientSecrets = func() ([]string, error) { return []string{""}, nil }
	_, err := p.signIn(t, start(t, cfg), login.Asked{})
	want(t, err, login.FailedBroken, reasonSettings)
}

// at_hash by the hash of the algorithm (OpenID Connect Core §3.1.3.6).
func TestAtHashOfAllAlgorithms(t *testing.T) {
	for _, alg := range []jose.Algorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.PS256, jose.RS384} {
		t.Run(string(alg), func(t *testing.T) {
			p := newProvider(t)
			var err error
			if p.key, err = jose.GenerateKey(alg); err != nil {
				t.Fatal(err)
			}
			p.metadata = func(d object) { d["id_token_signing_alg_values_supported"] = []string{string(alg)} }
			hash := sha512.New()
			switch string(alg[len(alg)-3:]) {
			case "256":
				hash = sha256.New()
			case "384":
				hash = sha512.New384()
			}
			hash.Write([]byte(accessToken))
			sum := hash.Sum(nil)
			p.claims = func(c object) { c["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]) }
			_, err = p.signIn(t, start(t, p.config()), login.Asked{})
			want(t, err, 0, "")
		})
	}
}

// F16, F15, G7: one bad key in the set spoils no other; an error page is no set.
func TestF15AndF16KeySets(t *testing.T) {
	p := newProvider(t)
	good := string(keySetOf(t, p.key.Public()))
	bad := strings.Replace(good, `{"keys":[`, `{"keys":[{"kty":"DSA","kid":"d"},{"kty":"OKP","crv":"Ed448","x":"AA"},{"kty":"EC","crv":"","x":"a","y":"b"},{"kty":"RSA","n":"!!","e":"AQAB"},7,`, 1)
	bad = strings.Replace(bad, ",7,", ",", 1)
	p.keys = func() []byte { return []byte(bad) }
	o := start(t, p.config())
	_, err := p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	p.mu.Lock()
	p.keys = func() []byte { return []byte("<html>maintenance</html>") }
	p.mu.Unlock()
	if _, err := o.keys.Refresh(t.Context()); err == nil {
		t.Error("a page is a set")
	}
	_, err = p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
}

// LOG-20: keys that could not be had when the process began are asked for again for the
// person whose code is spent.
func TestLOG20KeysThatCameLate(t *testing.T) {
	p := newProvider(t)
	var back atomic.Bool
	p.keys = func() []byte {
		if !back.Load() {
			return []byte("{}")
		}
		return keySetOf(t, p.key.Public())
	}
	cfg, clock := p.config(), newClock()
	cfg.Clock = clock.now
	o := start(t, cfg)
	_, err := p.signIn(t, o, login.Asked{})
	want(t, err, login.FailedDown, reasonNoKeys)
	if o.Trouble() == nil {
		t.Error("that is no trouble")
	}
	clock.add(keyPause)
	back.Store(true)
	_, err = p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	if err := o.Trouble(); err != nil {
		t.Errorf("trouble: %v", err)
	}
}

// F17 and Dex: keys that change without a word are fetched again for the person whose
// code is spent, and not more often than each 30 s.
func TestF17ChangingKeys(t *testing.T) {
	p := newProvider(t)
	cfg, clock := p.config(), newClock()
	cfg.Clock = clock.now
	o := start(t, cfg)
	_, err := p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	rotate := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.key, _ = jose.GenerateKey(jose.ES256)
	}
	rotate()
	_, err = p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	before := p.count("/keys")
	rotate()
	for range 3 {
		_, err = p.signIn(t, o, login.Asked{})
		want(t, err, login.FailedForged, reasonSignature)
	}
	if p.count("/keys") != before {
		t.Error("keys were fetched within 30 s")
	}
	clock.add(keyPause)
	_, err = p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
}

// F17: a new key whose set cannot be had is the provider's trouble, and nobody's forgery; it
// is fetched again soon.
func TestF17NewKeyAndNoKeySet(t *testing.T) {
	p := newProvider(t)
	cfg, clock := p.config(), newClock()
	cfg.Clock = clock.now
	o := start(t, cfg)
	_, err := p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	p.mu.Lock()
	p.key, _ = jose.GenerateKey(jose.ES256)
	p.keys = func() []byte { return []byte("<html>maintenance</html>") }
	p.mu.Unlock()
	before := p.count("/keys")
	for range 3 {
		_, err = p.signIn(t, o, login.Asked{})
		want(t, err, login.FailedDown, reasonNoKeys)
	}
	if n := p.count("/keys") - before; n != 1 {
		t.Errorf("keys were fetched %d times at once", n)
	}
	p.mu.Lock()
	p.keys = nil
	p.mu.Unlock()
	clock.add(keyRetry)
	_, err = p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
}

// F18: the log says by how much the clocks differ.
func TestF18ClockSkew(t *testing.T) {
	p := newProvider(t)
	for ahead, text := range map[time.Duration]string{
		45 * time.Second: "", -45 * time.Second: "", // within the leeway
		5 * time.Minute: "ahead of ours", -7 * time.Minute: "behind ours",
	} {
		cfg := p.config()
		cfg.Clock = func() time.Time { return time.Now().Add(-ahead) }
		o := start(t, cfg)
		_, err := p.signIn(t, o, login.Asked{})
		if text == "" {
			want(t, err, 0, "")
			continue
		}
		want(t, err, login.FailedForged, reasonTime)
		if d := (o.clock.value() - ahead).Abs(); d > 2*time.Second || err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("%v: off by %s", err, d)
		}
	}
}

// Google: an alias of the issuer, in the token and in the answer.
func TestIssuerAlias(t *testing.T) {
	p := newProvider(t)
	p.claims = func(c object) { c["iss"] = "accounts.example.com" }
	_, err := p.signIn(t, start(t, p.config()), login.Asked{})
	want(t, err, login.FailedForged, reasonTokenIssuer)
	cfg := p.config()
	cfg.IssuerAlias = "accounts.example.com"
	_, err = p.signIn(t, start(t, cfg), login.Asked{})
	want(t, err, 0, "")
}

// M18: Entra for several tenants: iss is the template with the token's own tid, which may
// come; a key may be another tenant's. The identity is (tid, oid).
func TestM18Tenants(t *testing.T) {
	p := newProvider(t)
	template := p.URL + "/{tenantid}/v2.0"
	p.paths["/common/v2.0/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) { p.say(w, 200, p.document()) }
	p.metadata = func(d object) { d["issuer"] = template }
	var keyOf atomic.Value // a key set may still be asked for when a login has ended
	keyOf.Store("{tenantid}")
	p.keys = func() []byte {
		var set struct{ Keys []object }
		_ = json.Unmarshal(keySetOf(t, p.key.Public()), &set)
		set.Keys[0]["issuer"] = p.URL + "/" + keyOf.Load().(string) + "/v2.0"
		text, _ := json.Marshal(object{"keys": set.Keys})
		return text
	}
	cfg := p.config()
	cfg.Issuer, cfg.Tenants, cfg.Subject = template, []string{"t1", "t2"}, []string{"tid", "oid"}
	for _, tt := range []struct {
		name, tid, of, key string
		failure            login.Failure
		reason             string
	}{
		{"one that may", "t1", "t1", "{tenantid}", 0, ""},
		{"its own key", "t2", "t2", "t2", 0, ""},
		{"another tenant's key", "t2", "t2", "t1", login.FailedForged, reasonSignature},
		{"one that may not", "t3", "t3", "{tenantid}", login.FailedForged, reasonTokenIssuer},
		{"one that says to be another", "t1", "t3", "{tenantid}", login.FailedForged, reasonTokenIssuer},
		{"none", "", "{tenantid}", "{tenantid}", login.FailedForged, reasonTokenIssuer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keyOf.Store(tt.key)
			p.claims = func(c object) { c["tid"], c["iss"], c["oid"] = tt.tid, p.URL+"/"+tt.of+"/v2.0", "o.1" }
			who, err := p.signIn(t, start(t, cfg), login.Asked{})
			want(t, err, tt.failure, tt.reason)
			if err == nil && who.ID != tt.tid+".o.1" {
				t.Errorf("the ID is %q", who.ID)
			}
		})
	}
	p.claims = func(c object) { c["tid"], c["iss"], c["oid"] = "t1", p.URL+"/t1/v2.0", 7 }
	_, err := p.signIn(t, start(t, cfg), login.Asked{})
	want(t, err, login.FailedForged, reasonSubject)
}
