package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestGroupsReachTheCore: what is written arrives where it is decided, and an application that speaks of
// no groups has no directory.
func TestGroupsReachTheCore(t *testing.T) {
	for name, tt := range map[string]struct {
		config string
		none   bool
		sent   map[string]string // a name of company's, and the groups that it makes
	}{
		"nothing":                 {`{}`, true, nil},
		"a local user without":    {`{"logins":[{"module":"local","users":[{"id":"a"}]}]}`, true, nil},
		"a local user's group":    {`{"logins":[{"module":"local","users":[{"id":"a","groups":["staff"]}]}]}`, false, nil},
		"a file that may have":    {`{"logins":[{"module":"local","profiles_file":"a"}]}`, false, nil},
		"token_claims groups":     {`{"apis":[{"identifier":"a","token_claims":["groups"]}]}`, false, nil},
		"token_claims of another": {`{"apis":[{"identifier":"a","token_claims":["email"]}]}`, true, nil},
		"from":                    {`{"groups":[{"name":"staff","from":[{"login":"company","names":["/staff","/all"]}]}]}`, false, map[string]string{"/staff": "staff", "staff": "", "/all": "staff"}},
		"as sent, by a client":    {`{"logins":[{"module":"oidc","name":"company","groups_as_sent":true}],"clients":[{"id":"a","for":[["staff"]]}]}`, false, map[string]string{"staff": "staff", "other": ""}},
		"as sent, by a scope":     {`{"logins":[{"module":"oidc","name":"company","groups_as_sent":true}],"apis":[{"identifier":"a","scope_details":[{"scope":"b","for":[["staff"]]}]}]}`, false, map[string]string{"staff": "staff", "other": ""}},
		"as sent, by a group":     {`{"logins":[{"module":"oidc","name":"company","groups_as_sent":true}],"groups":[{"name":"staff"}]}`, false, map[string]string{"staff": "staff", "other": ""}},
		"as sent, by none":        {`{"logins":[{"module":"oidc","name":"company","groups_as_sent":true}]}`, false, map[string]string{"staff": ""}},
		"not as sent":             {`{"logins":[{"module":"oidc","name":"company"}],"clients":[{"id":"a","for":[["staff"]]}]}`, false, map[string]string{"staff": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var a App
			if err := caddy.StrictUnmarshalJSON([]byte(tt.config), &a); err != nil {
				t.Fatal(err)
			}
			d := a.directory(readLogins(a.LoginsRaw), nil)
			if (d == nil) != tt.none {
				t.Errorf("the directory is %v", d)
			}
			for sent, want := range tt.sent {
				kept := d.Keep("company", []string{sent})
				if got := strings.Join(d.Of(storage.UserTag{}, kept), " "); got != want || (len(kept) == 0) != (want == "") {
					t.Errorf("%s makes %q and is kept as %v, want %q", sent, got, kept, want)
				}
				if other := d.Keep("partner", []string{sent}); other != nil {
					t.Errorf("of another login %s is kept", sent)
				}
			}
		})
	}
	a := &App{people: people.NewDirectory(people.Config{AsSent: []string{"company"}}), guards: newGuards()}
	a.noteRule(people.Rule{{"staff"}}, "bearer_auth")
	if kept := a.people.Keep("company", []string{"staff", "other"}); len(kept) != 1 || len(a.guards.rules) != 1 {
		t.Errorf("what a guard speaks of is not kept: %v", kept)
	}
	api := (&API{Identifier: "a", TokenClaims: []string{"groups"}, ScopeDetails: []*ScopeDetail{{Scope: "b", Text: "B"}, {Scope: "c", For: [][]string{{"d"}}}}}).core()
	if !reflect.DeepEqual(api.ScopeFor, map[string]people.Rule{"c": {{"d"}}}) || !reflect.DeepEqual(api.ScopeTexts, map[string]string{"b": "B"}) || !slices.Equal(api.TokenClaims, []string{"groups"}) {
		t.Errorf("%+v", api)
	}
	if rule := (&Client{For: [][]string{{"a", "b"}, {"c"}}}).core().For; rule.String() != "a b, c" {
		t.Errorf("the rule is %s", rule)
	}
}

// TestM9CheckFindsGroupsOfNobody: rules that nobody can meet, and members that nobody is.
func TestM9CheckFindsGroupsOfNobody(t *testing.T) {
	const company = "login oidc company https://login.example.com/ {\nclient_id a\nclient_secret {env.GATEHOUSE_TEST_COMPANY}\n"
	const guarded = "api https://b.example.com {\ntoken_claims groups\n}\n"
	const guard = "SITEb.example.com {\nbearer_auth {\naudience https://b.example.com\nfor staff\n}\n}\n"
	client := func(rule string) string {
		return "client wiki {\ntype spa\nredirect_uris https://wiki.example.com/cb\n" + rule + "\n}\n"
	}
	t.Setenv("GATEHOUSE_TEST_COMPANY", "x")
	people := filepath.Join(t.TempDir(), "people.json")
	if err := os.WriteFile(people, []byte(`{"alice": {"groups": ["staff"]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, options, want string }{
		{"a block", "group staff {\nmember local|alice\n}\n" + client("for staff"), ""},
		{"a block without a line", "group staff\n" + client("for staff"), "warning: client wiki: nobody is in the group staff: write `group staff { from"},
		{"no block", client("for staff"), "nobody is in the group staff"},
		{"one of two", "group staff {\nmember local|alice\n}\n" + client("for staff editors"), "nobody is in the group editors"},
		{"a slash less", company + "}\ngroup /staff {\nfrom company /staff\n}\n" + client("for staff"), "there is /staff, which is another"},
		{"a slash more", "group staff {\nmember local|alice\n}\n" + client("for /staff"), "there is staff, which is another"},
		{"as sent", company + "groups_as_sent\n}\n" + client("for whatever"), ""},
		{"a file", "login local others {\nuser alice " + testBcrypt + "\nprofiles_file " + people + "\n}\n" + client("for staff"), ""},
		{"a scope", "api https://b.example.com {\nscopes a\nscope a {\nfor staff\n}\n}", "warning: api https://b.example.com: scope a: nobody is in the group staff"},
		{"members", "group staff {\nmember local|alice other|x\n}", "group staff: other|x can be nobody, since there is no login other"},
		{"a member who is no user", "group staff {\nmember local|Alice\n}", "group staff: local|Alice is nobody now: login local has no such user"},
		{"a member of a provider", company + "}\ngroup staff {\nmember company|00u1\n}", ""},
		{"token_claims", "api https://b.example.com {\ntoken_claims groups\n}", "the claim groups is an empty list in every token"},
		{"token_claims with a group", "group staff {\nmember local|alice\n}\napi https://b.example.com {\ntoken_claims groups\n}", ""},
		{"a guard", guarded + guard, "warning: bearer_auth of https://b.example.com: nobody is in the group staff"},
		{"a guard with a group", "group staff {\nmember local|alice\n}\n" + guarded + guard, ""},
		{"of a provider without groups", "login google {\nclient_id a\nclient_secret {env.GATEHOUSE_TEST_COMPANY}\nallow anyone\n}\ngroup staff {\nfrom google staff\n}", "login google: this provider tells of no groups"},
		{"of GitHub without the scope", "login github {\nclient_id a\nclient_secret {env.GATEHOUSE_TEST_COMPANY}\nallow anyone\nscopes read:user\n}\ngroup staff {\nfrom github example\n}", "login github: its groups count, and GitHub tells of them with the scope read:org alone"},
		{"of GitHub", "login github {\nclient_id a\nclient_secret {env.GATEHOUSE_TEST_COMPANY}\nallow anyone\n}\ngroup staff {\nfrom github example\n}", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options, guard, _ := strings.Cut(tt.options, "SITE")
			out := check(t, "https://auth.example.com/", options, "auth.example.com {\n oauth_server\n}\n"+guard)
			if tt.want == "" && out != "nothing found\n" || !strings.Contains(out, tt.want) {
				t.Errorf("the findings are %q, want %q", out, tt.want)
			}
		})
	}
}

// TestGitHubIsAskedForGroups: a `from` line alone makes the login ask.
func TestGitHubIsAskedForGroups(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_COMPANY", "x")
	login := "login github hub {\nclient_id a\nclient_secret {env.GATEHOUSE_TEST_COMPANY}\nallow anyone\n}\n"
	for group, want := range map[string]bool{"": false, "group core {\nfrom hub example/core\n}": true, "group core {\nfrom local core\n}": false} {
		g := startGateway(t, gatewayOptions{OAuth: login + group})
		resp, body := g.do(g.request(g.url("/authorize?"+url.Values{
			"response_type": {"code"}, "client_id": {"my-spa"}, "redirect_uri": {testCallback}, "code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"}, "connection": {"hub"},
		}.Encode()), nil))
		to, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || to.Host != "github.com" {
			t.Fatalf("%d %s %s", resp.StatusCode, to, body)
		}
		if asked := strings.Contains(to.Query().Get("scope"), "read:org"); asked != want {
			t.Errorf("%q: asks for %s", group, to.Query().Get("scope"))
		}
	}
}

// profile replaces the file of profiles, as an operator should: by rename.
func (g *gateway) profile(text string) {
	g.t.Helper()
	file := filepath.Join(g.dir, "people.json")
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		g.t.Fatal(err)
	}
}

// shown is what `users show` says of alice.
func (g *gateway) shown() (u adminapi.User) {
	g.t.Helper()
	out, _ := g.ok("users", "show", "local|alice", "--json")
	if err := json.Unmarshal([]byte(out), &u); err != nil {
		g.t.Fatal(err)
	}
	return u
}

// TestM9LocalGroupsNow: the groups of a local user are what the file says now: one that is lost is lost at the
// next refresh, which spends nothing, and one that is given back is there at once.
func TestM9LocalGroupsNow(t *testing.T) {
	g := newGateway(t)
	o := gatewayOptions{
		Client: "for staff",
		OAuth: "api https://b.example.com {\nscopes a\nallow_offline_access\n}\n" +
			"group editors {\nfrom local writers\n}\n",
	}
	const (
		in    = `{"alice": {"groups": ["staff", "writers"], "claims": {"department": "sales"}}}`
		read  = `{"alice": {"groups": ["staff"]}}`
		out   = `{"alice": {}}`
		wrong = `{"alice": {"groups": ["staff", "writers"]`
	)
	file := strings.ReplaceAll(string(g.caddyfile(o)), "name Alice\n\t\t\t}", "name Alice\n\t\t\t}\n\t\t\tprofiles_file "+filepath.Join(g.dir, "people.json"))
	file = strings.ReplaceAll(file, "scopes orders:read orders:write", "scopes orders:read orders:write\n\t\t\tscope orders:read {\n\t\t\t\tfor editors\n\t\t\t}\n\t\t\ttoken_claims groups department")
	g.profile(in)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := g.loadCaddyfile([]byte(file)); err != nil {
		t.Fatal(err)
	}
	session := g.login()
	says := func(groups, department, scope string) {
		t.Helper()
		var c struct {
			Groups     []string `json:"groups"`
			Department string   `json:"department"`
			Scope      string   `json:"scope"`
		}
		decodePart(t, session.AccessToken, 1, &c)
		if strings.Join(c.Groups, " ") != groups || c.Department != department || strings.Contains(c.Scope, "orders:read") != (scope != "") || c.Groups == nil {
			t.Fatalf("the token says %+v, want %s, %s, %s", c, groups, department, scope)
		}
	}
	says("editors staff writers", "sales", "orders:read")
	refreshed := func(what string, done func(a tokenAnswer) bool) {
		t.Helper()
		eventually(t, what, func() bool { // the file is looked at each second
			answer := g.refresh(session.RefreshToken)
			if answer.RefreshToken != "" {
				session = answer
			}
			return done(answer)
		})
	}
	scoped := func(a tokenAnswer) bool { return strings.Contains(claim(t, a.AccessToken, "scope"), "orders:read") }

	g.profile(read)
	refreshed("the scope to be lost", func(a tokenAnswer) bool { return !scoped(a) })
	says("staff", "sales", "")
	family := g.family()
	e, _ := g.ok("explain", family)
	if !strings.Contains(e, "scope orders:read of https://api.example.com") || !strings.Contains(e, "left out: the person is not in editors") {
		t.Errorf("explain says\n%s", e)
	}

	g.profile(out)
	refreshed("the client to be closed", func(a tokenAnswer) bool { return a.Error == "invalid_grant" })
	if u := g.shown(); len(u.Groups) != 0 || len(u.Rights) != 2 || u.Rights[0].Lacks != "the person is not in staff" || u.Rights[1].Has {
		t.Errorf("users show says %+v %+v", u.Groups, u.Rights)
	}
	e, _ = g.ok("explain", family)
	if !strings.Contains(e, string(admin.VerdictNotAllowed)) || !strings.Contains(e, "refused: the person is not in staff") {
		t.Errorf("explain says\n%s", e)
	}
	if status, _ := g.admin(http.MethodGet, "/oauth/explain/"+family); status != http.StatusOK {
		t.Error(status)
	}

	g.profile(wrong) // the last good one stays
	eventually(t, "the log to name the line", func() bool {
		g.refresh(session.RefreshToken)
		return strings.Contains(g.logs(), "people.json:1:")
	})
	if a := g.refresh(session.RefreshToken); a.Error != "invalid_grant" {
		t.Errorf("a file that is cut off gives groups: %d %s", a.status, a.body)
	}

	g.profile(in)
	refreshed("all to be back", func(a tokenAnswer) bool { return a.AccessToken != "" })
	says("editors staff writers", "sales", "orders:read")
	want := []adminapi.Membership{{Group: "editors", By: "the user's group writers"}, {Group: "staff", By: "the user's groups"}, {Group: "writers", By: "the user's groups"}}
	if u := g.shown(); !slices.Equal(u.Groups, want) || !u.Rights[0].Has || !u.Rights[1].Has {
		t.Errorf("users show says %+v %+v", u.Groups, u.Rights)
	}
	if e, _ = g.ok("explain", family); !strings.Contains(e, string(admin.VerdictAlive)+": ") || strings.Contains(e, "left out") {
		t.Errorf("explain says\n%s", e)
	}
	shown, _ := g.ok("users", "show", "local|alice")
	for _, line := range []string{"the user's group writers", "client my-spa", "scope orders:read of https://api.example.com"} {
		if !strings.Contains(shown, line) {
			t.Errorf("users show lacks %q:\n%s", line, shown)
		}
	}
}
