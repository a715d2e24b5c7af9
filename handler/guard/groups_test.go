package guard

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
)

// groupsClaim is the claim of a token whose person is in these groups.
func groupsClaim(t *testing.T, groups ...string) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"groups": append([]string{}, groups...)})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestM5GroupsAtTheGuard: of each line one group is enough, each line has to hold, and
// what is not let in gets a 403 whose challenge has clients ask for nothing, also where a
// scope is missing as well.
func TestM5GroupsAtTheGuard(t *testing.T) {
	staff, both := people.Rule{{"staff", "editors"}}, people.Rule{{"staff"}, {"eu", "us"}}
	for _, test := range []struct {
		name    string
		rule    people.Rule
		claims  string
		passes  bool
		missing string
	}{
		{"no rule", nil, ``, true, ""},
		{"one of them", staff, groupsClaim(t, "editors"), true, ""},
		{"another", staff, groupsClaim(t, "staf", "Staff", "staff "), false, "staff editors"},
		{"none", staff, groupsClaim(t), false, "staff editors"},
		{"no claim, as a machine has none", staff, ``, false, "staff editors"},
		{"a text is one group", staff, `{"groups":"staff"}`, true, ""},
		{"a text is not split", staff, `{"groups":"staff editors"}`, false, "staff editors"},
		{"both lines", both, groupsClaim(t, "us", "staff"), true, ""},
		{"the first line", both, groupsClaim(t, "staff"), false, "eu us"},
		{"the second line", both, groupsClaim(t, "eu"), false, "staff"},
		{"ahead of the scope", staff, `{"scope":""}`, false, "staff editors"},
		{"another claim", staff, `{"roles":["staff"]}`, false, "staff editors"},
	} {
		t.Run(test.name, func(t *testing.T) {
			heard := new(listener)
			g := newTestGuard(t, checker{"odd": claimsOf(t, test.claims)}, func(c *Config) {
				c.For, c.Scopes, c.Observer = test.rule, []string{"orders:read"}, heard
			})
			res, seen := guarded(t, g, request(t, http.MethodGet, ordersURL, "Authorization", "Bearer odd"), nil)
			if test.passes {
				if seen == nil || len(heard.events) != 0 {
					t.Fatalf("refused: %d %v", res.StatusCode, res.Header)
				}
				return
			}
			if seen != nil || res.StatusCode != http.StatusForbidden {
				t.Fatalf("status %d", res.StatusCode)
			}
			if got, want := res.Header[wire.ChallengeHeader], []string{`Bearer realm="` + testAPI + `"`}; !slices.Equal(got, want) {
				t.Errorf("challenge %q, want %q", got, want)
			}
			if len(heard.events) != 1 || heard.events[0].Outcome != "not_allowed" || heard.events[0].Subject != "local|bob" {
				t.Fatalf("events %+v", heard.events)
			}
			if m := heard.events[0].Mismatch; m == nil || strings.Join(m.Registered, " ") != test.missing || m.Option != "for" {
				t.Errorf("the log says %+v, want %s", m, test.missing)
			}
		})
	}
}

// TestM5GroupsWithDPoP: the answer to a bound token asks for nothing either.
func TestM5GroupsWithDPoP(t *testing.T) {
	w := httptest.NewRecorder()
	newTestGuard(t, nil).neverMind(w.Header(), tokenSource{dpop: true})
	if got := w.Header().Get(wire.ChallengeHeader); !strings.HasPrefix(got, "DPoP algs=") || strings.Contains(got, "error") || strings.Contains(got, "resource_metadata") {
		t.Errorf("challenge %q", got)
	}
}

// TestC6GroupsInAHeader: no name of a group makes an upstream read another group, in no
// encoding; and who is in none has no header, whatever the client sent.
func TestC6GroupsInAHeader(t *testing.T) {
	for _, test := range []struct {
		name     string
		groups   []string
		encoding identity.Encoding
		want     string
	}{
		{"two", []string{"editors", "staff"}, "", "editors,staff"},
		{"path", []string{"/staff/editors"}, "", "/staff/editors"},
		{"comma", []string{"x,admin"}, "", "x%2Cadmin"},
		{"comma, raw", []string{"x,admin"}, identity.Raw, "x%2Cadmin"},
		{"comma, latin1", []string{"x,admin"}, identity.Latin1, "x%2Cadmin"},
		{"encoded comma", []string{"x%2Cadmin"}, "", "x%252Cadmin"},
		{"lines", []string{"x\r\nX-Admin: 1"}, identity.Raw, "x%0D%0AX-Admin: 1"},
		{"blanks around", []string{" admin "}, identity.Raw, "%20admin%20"},
		{"letters", []string{"Rédaction"}, "", "R%C3%A9daction"},
		{"letters, raw", []string{"Rédaction"}, identity.Raw, "Rédaction"},
		{"none", nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newTestGuard(t, checker{"odd": claimsOf(t, groupsClaim(t, test.groups...))}, func(c *Config) {
				c.Headers = []identity.Mapping{{Header: "X-Groups", Claim: "groups", Encoding: test.encoding}}
			})
			_, seen := guarded(t, g, request(t, http.MethodGet, ordersURL, "Authorization", "Bearer odd", "X-Groups", "admin", "x_groups", "admin"), nil)
			if seen == nil {
				t.Fatal("refused")
			}
			values, there := seen.Header["X-Groups"]
			if there != (test.want != "") || there && !slices.Equal(values, []string{test.want}) {
				t.Errorf("the upstream sees %q, want %q", values, test.want)
			}
			for name := range seen.Header {
				if name != "X-Groups" && identity.SameHeader(name, "X-Groups") {
					t.Errorf("the client's own header %s arrives", name)
				}
			}
		})
	}
}
