package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// hub is GitHub, at the provider's address.
type hub struct {
	*provider
	orgs, teams int // how many
	emails      string
	user        http.HandlerFunc
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{provider: newProvider(t), orgs: 1, teams: 1, emails: `[{"email":"old@example.com","primary":false,"verified":true},{"email":"alice@example.com","primary":true,"verified":true}]`}
	h.answer = func(a object) { delete(a, "id_token"); delete(a, "refresh_token") }
	h.user = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"id":583231,"login":"alice","name":"Alice","avatar_url":"https://example.com/a.png","email":"public@example.com"}`))
	}
	h.token = h.grant
	h.paths["/login/oauth/access_token"] = func(w http.ResponseWriter, r *http.Request) { asForm(w, r, h.token) }
	h.api("/api/v3/user", func(w http.ResponseWriter, r *http.Request) { h.user(w, r) })
	h.api("/api/v3/user/emails", func(w http.ResponseWriter, _ *http.Request) {
		if h.emails == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(h.emails))
	})
	h.api("/api/v3/user/orgs", h.pages(&h.orgs, `{"login":"org%d"}`))
	h.api("/api/v3/user/teams", h.pages(&h.teams, `{"slug":"team%d","name":"A Team","organization":{"login":"org0"}}`))
	return h
}

// asForm answers as GitHub's token endpoint does: with a form, errors too, where JSON is
// not asked for.
func asForm(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	if r.Header.Get("Accept") == "application/json" {
		serve(w, r)
		return
	}
	in := httptest.NewRecorder()
	serve(in, r)
	var members object
	_ = json.Unmarshal(in.Body.Bytes(), &members)
	form := make(url.Values)
	for name, value := range members {
		form.Set(name, fmt.Sprint(value))
	}
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	w.WriteHeader(in.Code)
	_, _ = w.Write([]byte(form.Encode()))
}

// api serves a path to who has the access token.
func (h *hub) api(path string, serve http.HandlerFunc) {
	h.paths[path] = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+accessToken {
			h.say(w, http.StatusUnauthorized, object{"message": "Bad credentials"})
			return
		}
		w.Header().Set("Content-Type", "application/json")
		serve(w, r)
	}
}

// pages serves a list of so many entries.
func (*hub) pages(many *int, entry string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var page, size int
		_, _ = fmt.Sscan(r.URL.Query().Get("page"), &page)
		_, _ = fmt.Sscan(r.URL.Query().Get("per_page"), &size)
		if *many < 0 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		var list []string
		for n := (page - 1) * size; n < min(page*size, *many); n++ {
			list = append(list, fmt.Sprintf(entry, n))
		}
		_, _ = w.Write([]byte("[" + strings.Join(list, ",") + "]"))
	}
}

func (h *hub) login(t *testing.T, edit func(*Config)) *GitHub {
	t.Helper()
	cfg := h.config()
	if edit != nil {
		edit(&cfg)
	}
	g, err := NewGitHub(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	t.Cleanup(g.Close)
	return g
}

func (h *hub) signIn(t *testing.T, g *GitHub) (*login.Arrival, error) {
	t.Helper()
	d := departure()
	to, err := g.Begin(d)
	if err != nil {
		t.Fatal(err)
	}
	to, ok := strings.CutPrefix(to, h.URL+"/login/oauth")
	if !ok {
		t.Fatal(to)
	}
	return g.Finish(t.Context(), d, h.authorize(t, h.URL+to))
}

// GitHub: who somebody is: the number, the first address where it is verified, and groups
// only where they are wanted.
func TestGitHubArrival(t *testing.T) {
	groups := func(c *Config) { c.GroupsClaims = []string{"groups"} }
	allow := func(c *Config) { c.Allow = []Rule{{Kind: AllowGroup, Values: []string{"org0/team0"}}} }
	for _, tt := range []struct {
		name    string
		script  func(*hub)
		cfg     func(*Config)
		email   any
		groups  []string
		unknown bool
		failure login.Failure
		reason  string
	}{
		{name: "no groups", script: func(*hub) {}, email: "alice@example.com"},
		{name: "groups", script: func(*hub) {}, cfg: groups, email: "alice@example.com", groups: []string{"org0", "org0/team0"}},
		{name: "an allow line of groups", script: func(*hub) {}, cfg: allow, email: "alice@example.com", groups: []string{"org0", "org0/team0"}},
		{name: "an allow line that does not hold", script: func(h *hub) { h.teams = 0 }, cfg: allow, failure: login.FailedNotAllowed, reason: reasonNotAllowed},
		{name: "teams are refused", script: func(h *hub) { h.teams = -1 }, cfg: groups, email: "alice@example.com", unknown: true},
		{name: "teams are refused and needed", script: func(h *hub) { h.teams = -1 }, cfg: allow, failure: login.FailedNotAllowed, reason: reasonGroupsUnknown},
		{name: "more than a thousand", script: func(h *hub) { h.orgs = 1001 }, cfg: groups, email: "alice@example.com", unknown: true},
		{name: "the address is not verified", script: func(h *hub) { h.emails = `[{"email":"a@example.com","primary":true,"verified":false}]` }},
		{name: "addresses are refused", script: func(h *hub) { h.emails = "" }},
		{name: "addresses are refused, groups are not", script: func(h *hub) { h.emails = "" }, cfg: allow, groups: []string{"org0", "org0/team0"}},
		{name: "F79 the second secret is good", script: func(h *hub) {
			h.token = func(w http.ResponseWriter, r *http.Request) {
				if r.PostFormValue("client_secret") != "secret-1" {
					h.refuse(w, 200, "incorrect_client_credentials")
					return
				}
				h.grant(w, r)
			}
		}, cfg: func(c *Config) {
			c.ClientSecrets = func() ([]string, error) { return []string{"secret-new", "secret-1"}, nil }
		}, email: "alice@example.com"},
		{name: "addresses are refused and needed", script: func(h *hub) { h.emails = "" }, cfg: func(c *Config) { c.Allow = []Rule{{Kind: AllowEmailVerified}} }, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "no user", script: func(h *hub) { h.user = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) } }, failure: login.FailedDown, reason: reasonUserinfo},
		{name: "no number", script: func(h *hub) {
			h.user = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"login":"alice"}`)) }
		}, failure: login.FailedDown, reason: reasonSubject},
		{name: "a number with a fraction", script: func(h *hub) {
			h.user = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"id":-1.5}`)) }
		}, failure: login.FailedDown, reason: reasonSubject},
		{name: "the code is spent, with 200", script: func(h *hub) {
			h.token = func(w http.ResponseWriter, _ *http.Request) { h.refuse(w, 200, "bad_verification_code") }
		}, failure: login.FailedAgain, reason: reasonCode},
		{name: "the secret is wrong, with 200", script: func(h *hub) {
			h.token = func(w http.ResponseWriter, _ *http.Request) { h.refuse(w, 200, "incorrect_client_credentials") }
		}, failure: login.FailedBroken, reason: reasonClient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHub(t)
			tt.script(h)
			who, err := h.signIn(t, h.login(t, tt.cfg))
			want(t, err, tt.failure, tt.reason)
			if err != nil {
				return
			}
			if who.ID != "583231" || who.Claims["name"] != "Alice" || who.Claims["preferred_username"] != "alice" || who.Claims["email"] != tt.email || !slices.Equal(who.Groups, tt.groups) || who.GroupsUnknown != tt.unknown {
				t.Errorf("%+v", who)
			}
			if !who.AuthTime.IsZero() || who.ACR != "" || tt.groups == nil && !tt.unknown && h.count("/api/v3/user/orgs") != 0 {
				t.Errorf("%+v, or the organisations were asked for", who)
			}
		})
	}
}

// GitHub's recheck: with the access token while that has no end, with the refresh token
// where it has one.
func TestF46GitHubRecheck(t *testing.T) {
	h := newHub(t)
	g := h.login(t, nil)
	who, err := h.signIn(t, g)
	if err != nil {
		t.Fatal(err)
	}
	exchanges := h.count("/login/oauth/access_token")
	again, err := g.Recheck(t.Context(), who.ID, who.RefreshToken)
	if err != nil || again.Claims["email"] != "alice@example.com" || again.RefreshToken != who.RefreshToken || h.count("/login/oauth/access_token") != exchanges {
		t.Errorf("%+v, %v", again, err)
	}
	_, err = g.Recheck(t.Context(), who.ID, accessMark+"revoked")
	want(t, err, login.FailedGone, reasonGrant)
	if again, err = g.Recheck(t.Context(), "1", who.RefreshToken); err != nil || !again.Thin || again.Claims != nil {
		t.Errorf("another person: %+v, %v", again, err)
	}
	h.user = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	if again, err = g.Recheck(t.Context(), who.ID, who.RefreshToken); err != nil || !again.Thin || again.RefreshToken != who.RefreshToken {
		t.Errorf("%+v, %v", again, err)
	}

	h = newHub(t)
	h.answer = func(a object) { delete(a, "id_token") } // with expiry
	g = h.login(t, nil)
	if who, err = h.signIn(t, g); err != nil || who.RefreshToken != "refresh-1" {
		t.Fatalf("%+v, %v", who, err)
	}
	if again, err = g.Recheck(t.Context(), who.ID, who.RefreshToken); err != nil || again.RefreshToken != "refresh-2" {
		t.Errorf("%+v, %v", again, err)
	}
	_, err = g.Recheck(t.Context(), who.ID, who.RefreshToken)
	want(t, err, login.FailedGone, reasonGrant)
	// An access token of this moment that is refused is GitHub's trouble, and nobody's end.
	h.user = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	if again, err = g.Recheck(t.Context(), who.ID, again.RefreshToken); err != nil || !again.Thin || again.RefreshToken != "refresh-4" {
		t.Errorf("%+v, %v", again, err)
	}
}

// The addresses of GitHub, of a server of one's own, and the scopes.
func TestGitHubAddresses(t *testing.T) {
	for _, tt := range []struct {
		cfg                Config
		begins, user, also string
	}{
		{Config{}, "https://github.com/login/oauth/authorize?", "https://api.github.com/user", "scope=read%3Auser%20user%3Aemail&"},
		{Config{Issuer: "https://github.com/login/oauth", GroupsClaims: []string{"x"}}, "https://github.com/login/oauth/authorize?", "https://api.github.com/user", "read%3Aorg&"},
		{Config{Issuer: "https://ghe.example.com/"}, "https://ghe.example.com/login/oauth/authorize?", "https://ghe.example.com/api/v3/user", "state="},
		{Config{Endpoints: Endpoints{Userinfo: "https://api.acme.ghe.com/user"}}, "https://github.com/", "https://api.acme.ghe.com/user", "code_challenge="},
	} {
		tt.cfg.Name, tt.cfg.ClientID = "github", "gatehouse"
		g, err := NewGitHub(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		to, err := g.Begin(departure())
		if err != nil || !strings.HasPrefix(to, tt.begins) || !strings.Contains(to, tt.also) || strings.Contains(to, "nonce") || g.published.held.Load().Userinfo != tt.user {
			t.Errorf("%s, %v", to, err)
		}
		if err := g.Trouble(); err != nil {
			t.Errorf("trouble: %v", err)
		}
		d := departure()
		d.Asked.Again = true
		_, err = g.Begin(d)
		want(t, err, login.FailedNotMet, reasonCannotAsk)
	}
	if _, err := NewGitHub(Config{Name: "github"}); err == nil {
		t.Error("a login without client_id")
	}
}
