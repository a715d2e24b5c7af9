package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// O1: `users disable alice` and `clients end nope` succeeded and did nothing,
// since the subject is local|alice.
func TestUnknownNamesAreErrors(t *testing.T) {
	for name, options := range map[string]func(t *testing.T) gatewayOptions{
		"bolt":  func(*testing.T) gatewayOptions { return gatewayOptions{} },
		"redis": func(t *testing.T) gatewayOptions { return gatewayOptions{StoreIn: redisAt(redistest.Start(t).Addr)} },
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, options(t))
			session := g.login()
			nobody, until := "hYOaL1gOij6LtAJgvMow1A", time.Now().UTC().Format(time.RFC3339)
			for _, tt := range []struct {
				args []string
				want string // what the error names
			}{
				{[]string{"users", "disable", "alice"}, `no user "alice" is known: did you mean local|alice?`},
				{[]string{"users", "disable", "Alice"}, "local|alice"},
				{[]string{"users", "disable", "local|Alice"}, "local|alice"},
				{[]string{"users", "disable", "google|alice"}, "local|alice"},
				{[]string{"users", "disable", "worker"}, "worker@clients"},
				{[]string{"users", "disable", "woker@clients"}, "worker@clients"},
				{[]string{"users", "disable", "mallory"}, "<login>|<id>, such as local|alice, those of machines <client_id>@clients. Nothing was done; --force does it anyway"},
				{[]string{"users", "disable", "local|mallory"}, "has signed in lately. Nothing was done; --force does"},
				{[]string{"users", "disable", "alise"}, `no user "alise" is known: did you mean local|alice? Nothing was done; --force does`}, // H3
				{[]string{"users", "disable", "local|aliec"}, "did you mean local|alice?"},
				{[]string{"users", "enable", "alice"}, "local|alice"},
				{[]string{"users", "show", "alice"}, "local|alice"},
				{[]string{"users", "show", nobody}, "no user"}, // the hash of nobody
				{[]string{"grants", "list", "alice"}, "local|alice"},
				{[]string{"grants", "list", "--client", "my-sap"}, `no client "my-sap" is known: did you mean my-spa?`},
				{[]string{"grants", "end", "alice"}, "local|alice"},
				{[]string{"grants", "end", "alice", nobody}, "local|alice"},
				{[]string{"grants", "end", "local|alice", nobody}, "no family " + nobody},
				{[]string{"grants", "end", "--family", nobody}, "no family " + nobody},
				{[]string{"grants", "end", "alice", "--before", until}, "local|alice"},
				{[]string{"grants", "end", "--client", "my-sap", "--before", until}, "my-spa"},
				{[]string{"grants", "show", nobody, "--subject", "alice"}, "local|alice"},
				{[]string{"clients", "end", "nope"}, `no client "nope" is known: it is not configured, and nobody is signed in by it. Nothing was done; --force does`},
				{[]string{"clients", "end", "my_spa"}, "my-spa"},
				{[]string{"tokens", "deny", "--subject", "alice", "--jti", claim(t, session.AccessToken, "jti")}, "local|alice"},
				{[]string{"keys", "drop", "nope"}, "there are: "},
				{[]string{"explain", nobody}, "nothing is known"},
				{[]string{"issuers", "purge", "https://nope.example/"}, "no bearer_auth accepts tokens"},
			} {
				out, warnings, err := g.runWith("", append(tt.args, "--address", g.AdminAddr)...)
				if err == nil || strings.Contains(err.Error(), "status 2") || !strings.Contains(err.Error(), tt.want) || out != "" {
					t.Errorf("caddy oauth %s: %v, want exit code 1 and %q:\n%s%s", strings.Join(tt.args, " "), err, tt.want, out, warnings)
				}
			}
			if out, _ := g.ok("users", "disabled"); out != "nobody is disabled\n" {
				t.Errorf("somebody is disabled:\n%s", out)
			}
			if session = g.refresh(session.RefreshToken); session.AccessToken == "" {
				t.Fatalf("something was ended: %d %s", session.status, session.body)
			}
			status, body := g.admin(http.MethodPost, "/oauth/users/alice/disable")
			var failure struct {
				Error string `json:"error"`
			}
			if err := json.Unmarshal([]byte(body), &failure); err != nil || status != http.StatusNotFound || !strings.Contains(failure.Error, "local|alice? Nothing was done; force=true does it anyway") {
				t.Errorf("the admin API: %d %s", status, body)
			}
			if status, _ := g.admin(http.MethodPost, "/oauth/users/alice/disable?force=perhaps"); status != http.StatusBadRequest {
				t.Errorf("force=perhaps: %d", status)
			}
			g.meantAsItStands(session)
		})
	}
}

// meantAsItStands does with names that are not configured what can be meant.
func (g *gateway) meantAsItStands(session tokenAnswer) {
	t := g.t
	for _, args := range [][]string{
		{"users", "disable", "google|1234", "--force"}, // before the first login
		{"users", "enable", "google|1234"},             // the store knows by now
		{"grants", "end", "gone@clients", "--force"},   // a machine that was configured
		{"grants", "end", "gone@clients"},              // likewise
		{"clients", "end", "elsewhere", "--force"},
		{"clients", "end", "elsewhere"}, // it was ended before
		{"grants", "list", "worker@clients"},
		{"users", "show", "worker@clients"},
	} {
		g.ok(args...)
	}
	family := g.family()
	g.ok("grants", "end", "local|alice", family)
	for want, args := range map[string][]string{ // as a script that runs again
		family + " had ended already; its access tokens are refused\n": {"grants", "end", "local|alice", family},
		family + " had ended already\n":                                {"grants", "end", "--family", family},
	} {
		eventually(t, "the history of the ended family", func() bool { out, err := g.run(args...); return err == nil && out == want })
	}
}

// O1: people and clients that were taken out of the configuration are known for
// as long as the store holds anything of them.
func TestNamesThatWereConfigured(t *testing.T) {
	for name, options := range map[string]func(t *testing.T) gatewayOptions{
		"bolt":  func(*testing.T) gatewayOptions { return gatewayOptions{} },
		"redis": func(t *testing.T) gatewayOptions { return gatewayOptions{StoreIn: redisAt(redistest.Start(t).Addr)} },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			g := startGateway(t, o)
			g.login()
			if err := g.loadCaddyfile([]byte(strings.ReplaceAll(string(g.withoutClient(o)), "user alice ", "user bob "))); err != nil {
				t.Fatal(err)
			}
			if out, _ := g.ok("grants", "list", "local|alice"); !strings.Contains(out, "removed:") {
				t.Errorf("grants of somebody who is not configured any more:\n%s", out)
			}
			if out, _ := g.ok("users", "show", "local|bob"); !strings.Contains(out, "has logged in    no") {
				t.Errorf("somebody who is configured, and has never signed in:\n%s", out)
			}
			if out, _ := g.ok("grants", "list", "--client", "my-spa"); !strings.Contains(out, "local|alice") {
				t.Errorf("grants of a client that is not configured any more:\n%s", out)
			}
			if out, warnings := g.ok("clients", "end", "my-spa"); !strings.HasPrefix(out, "ended: everything") || !strings.Contains(warnings, "not configured here") && !strings.Contains(warnings, "is configured here") {
				t.Errorf("ending it:\n%s%s", out, warnings)
			}
			g.ok("clients", "end", "my-spa") // again
			g.ok("users", "disable", "local|alice")
			g.ok("users", "enable", "local|alice")
			if out, _ := g.ok("grants", "end", "local|alice"); !strings.Contains(out, "ended: 0 ") {
				t.Errorf("ending what is over:\n%s", out)
			}
			status, body := g.admin(http.MethodGet, "/oauth/grants?subject="+url.QueryEscape("local|carol"))
			if status != http.StatusNotFound {
				t.Errorf("somebody unknown: %d %s", status, body)
			}
		})
	}
}
