package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// groupsGateway is a gateway whose API is for staff, with more options of oauth.
func groupsGateway(t *testing.T, tokenClaims, oauth string, guard ...string) (*gateway, error) {
	t.Helper()
	g := newGateway(t)
	t.Cleanup(func() { _ = caddy.Stop() })
	file := string(g.caddyfile(gatewayOptions{OAuth: oauth, API: guardOf(append([]string{"header X-Groups groups"}, guard...)...)}))
	file = strings.Replace(file, "allow_offline_access", "allow_offline_access\n"+tokenClaims, 1)
	return g, g.loadCaddyfile([]byte(file))
}

// TestM5ForAtTheGuard: with tokens of this gateway, from the group of a configuration to the answer of the route:
// 200 and 403, never a 401 that a login would follow, and the log names the group.
func TestM5ForAtTheGuard(t *testing.T) {
	for name, tt := range map[string]struct {
		group  string
		rules  []string
		status int
	}{
		"in the group":      {"group staff {\nmember local|alice\n}", []string{"for staff editors"}, http.StatusOK},
		"in both":           {"group staff {\nmember local|alice\n}\ngroup eu {\nmember local|alice\n}", []string{"for staff", "for eu us"}, http.StatusOK},
		"in one of both":    {"group staff {\nmember local|alice\n}\ngroup eu", []string{"for staff", "for eu us"}, http.StatusForbidden},
		"in another":        {"group staff\ngroup other {\nmember local|alice\n}", []string{"for staff"}, http.StatusForbidden},
		"of somebody else":  {"group staff {\nmember local|alic\n}", []string{"for staff"}, http.StatusForbidden},
		"scope lacks, too":  {"group staff", []string{"for staff", "scope orders:write"}, http.StatusForbidden},
		"only the scope is": {"group staff {\nmember local|alice\n}", []string{"for staff", "scope orders:write"}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := groupsGateway(t, "token_claims groups", tt.group, tt.rules...)
			if err != nil {
				t.Fatal(err)
			}
			token := g.login().AccessToken
			for range 2 { // as minted, and as held
				resp, body := g.call("/orders", token)
				if resp.StatusCode != tt.status {
					t.Fatalf("%d %s, want %d", resp.StatusCode, body, tt.status)
				}
				challenge := resp.Header.Get("WWW-Authenticate")
				if login := name == "only the scope is"; strings.Contains(challenge, "insufficient_scope") != login || login != strings.Contains(challenge, "resource_metadata") {
					t.Errorf("challenge %s", challenge)
				}
			}
			if resp, _ := g.call("/orders", g.machineToken()); resp.StatusCode != http.StatusForbidden {
				t.Errorf("a machine, which is in no group: %d", resp.StatusCode)
			}
			if name == "in another" && !strings.Contains(g.logs(), `"msg":"access_refused","outcome":"not_allowed"`) {
				t.Errorf("the log does not say why:\n%s", g.logs())
			}
			if name == "in one of both" && !strings.Contains(g.logs(), `"registered":"eu us"`) {
				t.Errorf("the log does not name the missing groups")
			}
		})
	}
}

// TestM5ForNeedsGroupsInTokens: a guard that nobody could pass is refused, with the fix; groups that
// nobody is in are a warning.
func TestM5ForNeedsGroupsInTokens(t *testing.T) {
	const group = "group staff {\nmember local|alice\n}"
	for _, claims := range []string{"", "token_claims email"} {
		_, err := groupsGateway(t, claims, group, "for staff")
		if err == nil || !strings.Contains(err.Error(), "write `token_claims groups` into the block `api https://api.example.com`") {
			t.Errorf("%q: %v", claims, err)
		}
	}
	g, err := groupsGateway(t, "token_claims groups", group, "for staff nobodies")
	if err != nil {
		t.Fatal(err)
	}
	if log := g.logs(); !strings.Contains(log, "nobody is in the group nobodies") || strings.Contains(log, "nobody is in the group staff") {
		t.Error("the log does not warn of a group that nobody is in, or of another")
	}
}

// TestBearerForInJSON: what a Caddyfile cannot write.
func TestBearerForInJSON(t *testing.T) {
	for _, tt := range []struct {
		rule [][]string
		want string
	}{
		{[][]string{{"staff"}, {}}, "line without a group"},
		{[][]string{{""}}, "for"},
		{[][]string{{strings.Repeat("x", 256)}}, "255"},
		{[][]string{{"a\nb"}}, "control"},
		{[][]string{{strings.Repeat("x", 255)}, {"/staff/Ed itors"}}, ""},
	} {
		b := BearerAuth{Audience: []string{testAPI}, For: tt.rule}
		if err := b.Check(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.rule, err, tt.want)
		}
	}
}

// TestGroupsInAPlaceholder: C6: no element of a list looks like two.
func TestGroupsInAPlaceholder(t *testing.T) {
	if got := claimText([]any{"x,admin", "staff", []any{"a", "b"}}); got != "x%2Cadmin,staff,a%2Cb" {
		t.Errorf("the placeholder is %q", got)
	}
}
