package caddymodule

import (
	"encoding/json"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
)

// atProviders are logins at a provider, and one at GitHub, beside that of a gateway.
func atProviders(o *otherIssuer) string {
	return "login oidc company " + o.URL() + " {\n client_id gatehouse\n client_secret {env.GATEHOUSE_TEST_COMPANY}\n scopes openid phone\n}\n" +
		"login oidc partner " + o.URL() + " {\n client_id another\n client_secret {env.GATEHOUSE_TEST_COMPANY}\n}\n" +
		"login github {\n client_id hub\n client_secret {env.GATEHOUSE_TEST_COMPANY}\n allow group example\n}\n"
}

// TestLoginsCheck: `caddy oauth logins check` asks each provider, and says what to register there.
func TestLoginsCheck(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_COMPANY", "canary-of-the-company")
	a := newOtherIssuer(t)
	g := startGateway(t, gatewayOptions{OAuth: atProviders(a)})
	all, _ := g.ok("logins", "check")
	for _, want := range []string{
		a.URL(), g.url("/callback/company"), g.url("/callback/partner"), g.url("/callback/github"), a.URL() + "authorize", "ES256", "S256", "by back channel",
		"the scope phone is not announced", "https://github.com/login/oauth",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("there is no %s in\n%s", want, all)
		}
	}
	out, _ := g.ok("logins", "check", "company", "--json")
	var one struct {
		Logins []adminapi.CheckedLogin `json:"logins"`
	}
	if err := json.Unmarshal([]byte(out), &one); err != nil || len(one.Logins) != 1 {
		t.Fatalf("%v, %s", err, out)
	}
	if l := one.Logins[0]; l.Name != "company" || !l.Discovered || len(l.Keys) != 1 || !l.NamesIssuer || !l.BackChannel || l.FrontChannel || len(l.Problems) > 0 || len(l.Notes) != 1 {
		t.Errorf("%+v", l)
	}
	a.setDown(true)
	fails := func(names string, args ...string) string {
		t.Helper()
		out, err := g.run(append([]string{"logins", "check"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), "sign in by "+names) || strings.Contains(err.Error(), "status") { // the code is 1
			t.Errorf("caddy oauth logins check %v: %v\n%s", args, err, out)
		}
		return out
	}
	if out := fails("partner", "partner"); !strings.Contains(out, "PROBLEM") || strings.Contains(out, "company") {
		t.Errorf("without its keys:\n%s", out)
	}
	a.server.Close()
	if out := fails("company", "company"); !strings.Contains(out, "PROBLEM") || !strings.Contains(out, "fetching discovery document") {
		t.Errorf("away:\n%s", out)
	}
	fails("company, partner")
	if out := fails("company", "company", "--json"); !strings.Contains(out, `"problems": [`) {
		t.Errorf("as JSON: %s", out)
	}
	g.ok("logins", "check", "github")
	for name, want := range map[string]string{"compny": `no login "compny" is configured: there are local, company, partner, github`, "local": "this login is at no provider"} {
		if _, _, err := g.runWith("", "logins", "check", name, "--address", g.AdminAddr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if strings.Contains(all+out+g.logs(), "canary") {
		t.Error("the secret is told")
	}
}

// F13, no provider, no matter: a provider that is away keeps nothing from starting, and a
// configuration that has ended leaves nothing that runs, loaded or refused.
func TestReloadsOfLoginsLeak(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_COMPANY", "x")
	a := newOtherIssuer(t)
	away := newOtherIssuer(t)
	away.server.Close()
	o := gatewayOptions{OAuth: atProviders(a) + "login oidc away " + away.URL() + " {\n client_id a\n client_secret {env.GATEHOUSE_TEST_COMPANY}\n}\n"}
	refused := o
	refused.Store = t.TempDir() // which is no file
	g := startGateway(t, o)
	session := g.login()
	count := func() int {
		g.client.CloseIdleConnections()
		eventually(t, "one configuration to be left", func() bool { return references(g.Store) == 1 })
		return runtime.NumGoroutine()
	}
	reload := func() {
		t.Helper()
		if err := g.load(o); err != nil {
			t.Fatal(err)
		}
		if err := g.load(refused); err == nil {
			t.Fatal("a folder is taken for a store")
		}
		if session = g.refresh(session.RefreshToken); session.AccessToken == "" {
			t.Fatalf("refresh: %d %s", session.status, session.body)
		}
	}
	reload() // whatever is made once is made
	var before int
	eventually(t, "goroutines to settle", func() bool {
		last := before
		before = count()
		return before == last
	})
	for range 8 {
		reload()
	}
	const slack = 5 // of Caddy's and the client's own connections
	var now int
	eventually(t, "goroutines to go back", func() bool {
		now = count()
		return now <= before+slack
	})
	t.Logf("goroutines %d, were %d", now, before)
	if status, _ := g.admin(http.MethodGet, "/oauth/logins"); status != http.StatusOK {
		t.Errorf("the providers are asked: %d", status)
	}
}

// TestClientLogins: the logins of a client arrive where people sign in to it.
func TestClientLogins(t *testing.T) {
	c := Client{ID: "wiki", Type: "web", Logins: []string{"company"}}
	if got := c.core().Logins; !slices.Equal(got, c.Logins) {
		t.Errorf("%q", got)
	}
}

// TestPresetsAreKnown: a preset that needs no argument is a provider of which is known who can come.
func TestPresetsAreKnown(t *testing.T) {
	for word, p := range presets {
		if p.options.Issuer != "" && knownProvider(p.options.Issuer, nil).strangers == "" {
			t.Errorf("login %s: who can make an account at %s?", word, p.options.Issuer)
		}
	}
	for issuer := range knownProviders {
		if err := new(ProviderLogin).checkAddress(issuer); err != nil {
			t.Errorf("%s %v", issuer, err)
		}
	}
}
