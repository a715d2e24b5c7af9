package admin

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
)

// TestRights: what operators read of a rule, and of the person whom it is about.
func TestRights(t *testing.T) {
	for name, tt := range map[string]struct {
		client clients.Client
		groups []string
		want   Right
	}{
		"in one":         {clients.Client{For: people.Rule{{"staff", "editors"}}}, []string{"editors"}, Right{For: "staff editors"}},
		"in none of two": {clients.Client{For: people.Rule{{"staff", "editors"}}}, nil, Right{For: "staff editors", Lacks: "the person is in none of staff, editors"}},
		"a second line":  {clients.Client{For: people.Rule{{"staff"}, {"eu"}}}, []string{"staff"}, Right{For: "staff, eu", Lacks: "the person is not in eu"}},
		"another login":  {clients.Client{Logins: []string{"local"}}, nil, Right{Lacks: "it does not take people of login company"}},
		"the login":      {clients.Client{Logins: []string{"company"}}, nil, Right{}},
	} {
		if got := clientRight(&tt.client, tt.groups, "company"); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
	api := &clients.API{Identifier: "a", Scopes: []string{"b", "c"}, ScopeFor: map[string]people.Rule{"c": {{"staff"}}}}
	if got := scopeRights(api, nil); len(got) != 1 || got[0] != (Right{API: "a", Scope: "c", For: "staff", Lacks: "the person is not in staff"}) {
		t.Errorf("scopes: %+v", got)
	}
}
