package handler

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// newDeviceGateway has a television, which has no redirect URI, and a web
// application with devices.
func newDeviceGateway(t *testing.T, change ...func(*tokens.Config, *Config)) *gateway {
	t.Helper()
	return newGateway(t, append([]func(*tokens.Config, *Config){func(core *tokens.Config, _ *Config) {
		core.Clients = append(core.Clients, &clients.Client{
			ID: "tv", Name: "Orders <TV>", Type: clients.Native, APIs: []string{testAPI}, OIDCConformant: true, DeviceCode: true,
			Refresh: clients.RefreshPolicy{Rotation: true, Leeway: 10 * time.Second, Lifetime: 24 * time.Hour, IdleLifetime: time.Hour, MaxActive: 10},
		})
		for _, c := range core.Clients {
			c.DeviceCode = c.DeviceCode || c.ID == "web"
		}
	}}, change...)...)
}

// device is a television that asks.
type device struct {
	g      *gateway
	code   string
	user   string
	answer map[string]any
}

func (g *gateway) device() *device {
	g.t.Helper()
	res := g.post("/oauth/device/code", url.Values{"client_id": {"tv"}, "scope": {"openid offline_access orders:read"}, "audience": {testAPI}})
	if res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" {
		g.t.Fatalf("status %d %v: %s", res.StatusCode, res.Header, res.Body)
	}
	a := jsonOf(g.t, res)
	return &device{g: g, code: a["device_code"].(string), user: a["user_code"].(string), answer: a}
}

func (d *device) poll() *wiretest.Answer {
	d.g.t.Helper()
	return d.g.post("/oauth/token", url.Values{"grant_type": {deviceGrant}, "client_id": {"tv"}, "device_code": {d.code}})
}

// wantError polls and demands an OAuth error, of status 400 as RFC 6749 §5.2 has it.
func (d *device) wantError(want string) {
	d.g.t.Helper()
	res := d.poll()
	if e := jsonOf(d.g.t, res); res.StatusCode != http.StatusBadRequest || e["error"] != want {
		d.g.t.Fatalf("status %d %v, want %s", res.StatusCode, e, want)
	}
}

// signedIn is a browser with a session.
func (g *gateway) signedIn(user string) *browser {
	g.t.Helper()
	b := g.browser()
	location(g.t, b.signIn(authorizeURL(), user, testPassword))
	return b
}

// typeCode fills in the form that asks for a code.
func (b *browser) typeCode(code string) *wiretest.Answer {
	b.g.t.Helper()
	action, fields := form(b.g.t, b.get("/activate").Body)
	fields.Set("user_code", code)
	fields.Set("action", "continue")
	return b.post(action, fields)
}

// decide presses a button of the page that asks about the device.
func (b *browser) decide(page *wiretest.Answer, button string) *wiretest.Answer {
	b.g.t.Helper()
	action, fields := form(b.g.t, page.Body)
	fields.Set("action", button)
	return b.post(action, fields)
}

func TestDeviceFlow(t *testing.T) {
	g := newDeviceGateway(t)
	d := g.device()
	if d.answer["verification_uri"] != "https://auth.example.com/activate" || d.answer["verification_uri_complete"] != "https://auth.example.com/activate?user_code="+d.user ||
		d.answer["expires_in"] != 900.0 || d.answer["interval"] != 5.0 {
		t.Errorf("the device got %v", d.answer)
	}
	d.wantError("authorization_pending")
	d.wantError("slow_down")

	// The link of the QR code: login, the code filled in, what it would allow.
	b := g.browser()
	link := "/activate?user_code=" + strings.ToLower(d.user)
	page := b.signIn(link, "alice", testPassword)
	if page.StatusCode != http.StatusSeeOther || page.Header.Get("Location") != "/activate?user_code="+d.user {
		t.Fatalf("after the login: %d %v", page.StatusCode, page.Header)
	}
	page = b.get(page.Header.Get("Location"))
	if !strings.Contains(page.Body, `value="`+d.user+`"`) {
		t.Fatalf("the code is not filled in:\n%s", page.Body)
	}
	action, fields := form(t, page.Body)
	fields.Set("user_code", d.user)
	fields.Set("action", "continue")
	page = b.post(action, fields)
	for _, part := range []string{"Orders &lt;TV&gt;", d.user, "Alice", "Use orders:read", "choose Deny"} {
		if !strings.Contains(page.Body, part) {
			t.Errorf("the page does not show %q:\n%s", part, page.Body)
		}
	}
	done := b.decide(page, "allow")
	if done.StatusCode != http.StatusOK || !strings.Contains(done.Body, "The device is connected") {
		t.Fatalf("allowed: %d %s", done.StatusCode, done.Body)
	}
	// S3: a second click on Allow is told the same.
	if again := b.decide(page, "cancel"); again.StatusCode != http.StatusOK || !strings.Contains(again.Body, "The device is connected") {
		t.Errorf("the second click: %d %s", again.StatusCode, again.Body)
	}
	g.pass(repeatWindow + time.Nanosecond)
	if again := b.decide(page, "allow"); again.StatusCode != http.StatusForbidden {
		t.Errorf("the form works twice: %d", again.StatusCode)
	}
	tok := jsonOf(t, d.poll())
	if tok["refresh_token"] == nil || tok["id_token"] == nil || tok["token_type"] != "Bearer" {
		t.Fatalf("token response %v", tok)
	}
	info := jsonOf(t, g.do(http.MethodGet, "/userinfo", "", "Authorization", "Bearer "+tok["access_token"].(string)))
	if info["sub"] != "local|alice" {
		t.Errorf("userinfo: %v", info)
	}
	d.wantError("invalid_grant")
	next := jsonOf(t, g.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"tv"}, "refresh_token": {tok["refresh_token"].(string)}}))
	if next["refresh_token"] == nil {
		t.Errorf("refresh: %v", next)
	}
}

func TestDeviceTypedAndDenied(t *testing.T) {
	g := newDeviceGateway(t)
	d, b := g.device(), g.signedIn("alice")
	page := b.typeCode(" " + strings.ToLower(strings.ReplaceAll(d.user, "-", " ")))
	if done := b.decide(page, "cancel"); done.StatusCode != http.StatusOK || !strings.Contains(done.Body, "was not connected") {
		t.Fatalf("denied: %d %s", done.StatusCode, done.Body)
	}
	d.wantError("access_denied")
	d.wantError("access_denied")
	if late := b.typeCode(d.user); late.StatusCode != http.StatusBadRequest {
		t.Errorf("a request that was answered is shown: %d", late.StatusCode)
	}
	// Two people have the page open; one of them is faster.
	d, other := g.device(), g.signedIn("bob")
	first, second := b.typeCode(d.user), other.typeCode(d.user)
	b.decide(first, "allow")
	if late := other.decide(second, "allow"); late.StatusCode != http.StatusBadRequest || !strings.Contains(late.Body, "already answered") {
		t.Errorf("the second answer: %d %s", late.StatusCode, late.Body)
	}
	if info := jsonOf(t, d.poll()); info["access_token"] == nil {
		t.Errorf("token response %v", info)
	}
}

func TestDeviceEndpoint(t *testing.T) {
	g := newDeviceGateway(t)
	body, _ := json.Marshal(map[string]string{"client_id": "tv", "scope": "openid"})
	if res := g.do(http.MethodPost, "/oauth/device/code", string(body), "Content-Type", "application/json"); res.StatusCode != http.StatusOK {
		t.Errorf("JSON: %d %s", res.StatusCode, res.Body)
	}
	web := url.Values{"client_id": {"web"}, "client_secret": {webSecret}}
	if res := g.post("/oauth/device/code", web); res.StatusCode != http.StatusOK {
		t.Errorf("a client with a secret: %d %s", res.StatusCode, res.Body)
	}
	for _, tc := range []struct {
		name   string
		fields url.Values
		status int
		code   string
	}{
		{"no client", url.Values{}, 401, "invalid_client"},
		{"without the secret", url.Values{"client_id": {"web"}}, 401, "invalid_client"},
		{"without the grant", url.Values{"client_id": {"spa"}}, 400, "unauthorized_client"},
		{"another API", url.Values{"client_id": {"tv"}, "resource": {"https://other.example.com"}}, 400, "invalid_target"},
		{"malformed scope", url.Values{"client_id": {"tv"}, "scope": {"a\\b"}}, 400, "invalid_scope"},
		{"twice", url.Values{"client_id": {"tv"}, "scope": {"openid", "email"}}, 400, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := g.post("/oauth/device/code", tc.fields)
			if e := jsonOf(t, res); res.StatusCode != tc.status || e["error"] != tc.code {
				t.Errorf("status %d %v, want %d %s", res.StatusCode, e, tc.status, tc.code)
			}
		})
	}
	if res := g.do(http.MethodGet, "/oauth/device/code", ""); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", res.StatusCode)
	}
	if res := g.post("/oauth/token?device_code=x", url.Values{"grant_type": {deviceGrant}, "client_id": {"tv"}}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a device code in the URL: %d", res.StatusCode)
	}
	doc := jsonOf(t, g.do(http.MethodGet, "/.well-known/oauth-authorization-server", ""))
	if doc["device_authorization_endpoint"] != "https://auth.example.com/oauth/device/code" || !strings.Contains(strings.Join(texts(doc["grant_types_supported"]), " "), deviceGrant) {
		t.Errorf("metadata: %v", doc)
	}
}

func texts(list any) []string {
	var out []string
	for _, v := range list.([]any) {
		out = append(out, v.(string))
	}
	return out
}

// TestActivateIsGuarded: nobody decides but the person who was shown the page,
// in the browser where it was shown, in the session it was shown in.
func TestActivateIsGuarded(t *testing.T) {
	g := newDeviceGateway(t)
	d, b := g.device(), g.signedIn("alice")
	asked := b.typeCode(d.user)
	action, fields := form(t, asked.Body)
	fields.Set("action", "allow")

	for _, tc := range []struct {
		name string
		send func() *wiretest.Answer
	}{
		{"another site", func() *wiretest.Answer { return b.clone().post(action, fields, "Origin", "https://evil.example") }},
		{"another site, as the browser says", func() *wiretest.Answer { return b.clone().post(action, fields, "Sec-Fetch-Site", "cross-site") }},
		{"another browser", func() *wiretest.Answer { return g.signedIn("alice").post(action, fields) }},
		{"another person", func() *wiretest.Answer { return g.signedIn("bob").post(action, fields) }},
		{"no cookies", func() *wiretest.Answer { return g.post(action, fields) }},
		{"no ticket", func() *wiretest.Answer { return b.clone().post(action, url.Values{"action": {"allow"}}) }},
		{"the ticket of the form before", func() *wiretest.Answer {
			_, before := form(t, b.get("/activate").Body)
			before.Set("action", "allow")
			return b.clone().post(action, before)
		}},
		{"signed in anew", func() *wiretest.Answer {
			c := b.clone()
			location(t, c.signIn(authorizeURL("prompt", "login"), "bob", testPassword))
			return c.post(action, fields)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if res := tc.send(); res.StatusCode != http.StatusForbidden {
				t.Errorf("status %d, want 403\n%s", res.StatusCode, res.Body)
			}
		})
	}
	g.pass(20 * time.Second)
	d.wantError("authorization_pending")

	for _, page := range []*wiretest.Answer{b.get("/activate"), asked, b.get("/activate?user_code=" + d.user)} {
		h := page.Header
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "form-action 'self';") || !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("policy %q", csp)
		}
		if h.Get("Referrer-Policy") != "same-origin" || h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "DENY" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("headers %v", h)
		}
	}
}

// TestActivateAddress: what stands in the address is shown only as a code.
func TestActivateAddress(t *testing.T) {
	g := newDeviceGateway(t)
	b := g.signedIn("alice")
	for _, evil := range []string{`"><script>alert(1)</script>`, "//evil.example", strings.Repeat("B", 9), "%0d%0aX: y"} {
		res := b.get("/activate?user_code=" + url.QueryEscape(evil))
		if res.StatusCode != http.StatusOK || strings.Contains(res.Body, "evil.example") || strings.Contains(res.Body, "<script") || !strings.Contains(res.Body, `name="user_code" class="code-field" type="text" value=""`) {
			t.Errorf("%q: %d\n%s", evil, res.StatusCode, res.Body)
		}
		login := g.browser().signIn("/activate?user_code="+url.QueryEscape(evil), "alice", testPassword)
		if to := login.Header.Get("Location"); to != "/activate" {
			t.Errorf("%q: the login leads to %q", evil, to)
		}
	}
	// A person who does not want to sign in.
	stranger := g.browser()
	action, fields := form(t, stranger.get("/activate").Body)
	fields.Set("action", "cancel")
	if res := stranger.post(action, fields); res.StatusCode != http.StatusOK || !strings.Contains(res.Body, "Nothing was changed") {
		t.Errorf("cancelled: %d %s", res.StatusCode, res.Body)
	}
}

// TestUserCodesAreNotGuessed: RFC 8628 §5.1.
func TestUserCodesAreNotGuessed(t *testing.T) {
	g := newDeviceGateway(t)
	d, b := g.device(), g.signedIn("alice")
	for i := range 5 {
		if res := b.typeCode("BBBB-BBBB"); res.StatusCode != http.StatusBadRequest || !strings.Contains(res.Body, "No device is waiting") {
			t.Fatalf("guess %d: %d %s", i, res.StatusCode, res.Body)
		}
	}
	if res := b.typeCode(d.user); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !strings.Contains(res.Body, "Too many attempts. Wait ") || !strings.Contains(res.Body, " second") {
		t.Fatalf("after that: %d %v", res.StatusCode, res.Header)
	}
	if !g.heard.has(oauth.EventDevice, "wrong_code") || !g.heard.has(oauth.EventDevice, "delayed") {
		t.Error("guesses are not reported")
	}
	g.pass(2 * time.Second)
	if res := b.typeCode(d.user); !strings.Contains(res.Body, "Connect this device?") {
		t.Errorf("after the delay: %d", res.StatusCode)
	}
	other := g.signedIn("bob")
	for range 20 { // whoever is right is not held up
		if res := other.typeCode(d.user); !strings.Contains(res.Body, "Connect this device?") {
			t.Fatalf("a right code: %d %s", res.StatusCode, res.Body)
		}
	}
}

// A5: what has not the form of a user code is no guess, and counts nothing.
func TestA5MistypedUserCodes(t *testing.T) {
	g := newDeviceGateway(t)
	d, b := g.device(), g.signedIn("alice")
	for range 30 {
		if res := b.typeCode(d.user[:5]); res.StatusCode != http.StatusBadRequest || !strings.Contains(res.Body, "No device is waiting") {
			t.Fatalf("mistyped: %d %s", res.StatusCode, res.Body)
		}
	}
	if res := b.typeCode(d.user); !strings.Contains(res.Body, "Connect this device?") {
		t.Errorf("the right code after these: %d", res.StatusCode)
	}
}

// TestDeviceStoreDown: trouble of the store never makes a device give up.
func TestDeviceStoreDown(t *testing.T) {
	g := newDeviceGateway(t)
	d, b := g.device(), g.signedIn("alice")
	asked := b.typeCode(d.user)
	g.store.down.Store(true)
	for name, res := range map[string]*wiretest.Answer{
		"poll":        d.poll(),
		"device code": g.post("/oauth/device/code", url.Values{"client_id": {"tv"}}),
	} {
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
	}
	if res := b.decide(asked, "allow"); res.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Errorf("approval: %d %v", res.StatusCode, res.Header)
	}
	g.store.down.Store(false)
	b.decide(b.typeCode(d.user), "allow")
	if res := d.poll(); res.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %d %s", res.StatusCode, res.Body)
	}
}

// TestDeviceBudget: strangers cannot fill the store.
func TestDeviceBudget(t *testing.T) {
	g := newDeviceGateway(t, func(_ *tokens.Config, cfg *Config) {
		cfg.ClientIP = func(r *http.Request) string { return r.Header.Get("X-Test-Address") }
	})
	ask := func(address string) *wiretest.Answer {
		return g.post("/oauth/device/code", url.Values{"client_id": {"tv"}}, "X-Test-Address", address)
	}
	refused := 0
	for range placeBurst + 50 {
		if res := ask("192.0.2.1"); res.StatusCode == http.StatusTooManyRequests && res.Header.Get("Retry-After") != "" && strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
			refused++
		}
	}
	if refused != 50 {
		t.Errorf("%d were refused, want 50", refused)
	}
	others := []string{"198.51.100.7", "203.0.113.7", "2001:db8::1", "2001:db8:1::1"} // one may share a count with the first
	if !slices.ContainsFunc(others, func(address string) bool { return ask(address).StatusCode == http.StatusOK }) {
		t.Error("other networks are refused")
	}
	g.pass(time.Second)
	if res := ask("192.0.2.1"); res.StatusCode != http.StatusOK {
		t.Errorf("a little later: %d", res.StatusCode)
	}
}
