package site_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// TestR9CheckAgain: row R9: what a session has let in goes on for as long as the guard would let its
// person in; where the end of the session itself does not count, that ends nothing.
func TestR9CheckAgain(t *testing.T) {
	w := newWorld(t)
	var lost bool
	n, changedGroups := w.node(), w.node(w.users("alice")...)
	changedGroups.guard(wiki)
	n.guard(wiki, func(s *site.SiteConfig, _ *site.Config) {
		s.Issuer = changed{s.Issuer, func(session *sites.Session) {
			if lost {
				session.Claims.Groups = nil
			}
		}}
	})
	b := n.browser()
	again := func(expires bool, newest *site.Site, rules sites.Rules, wait time.Duration) oauth.Reason {
		t.Helper()
		g := must(site.New(site.Config{Sites: []*site.Site{n.bound[wiki]}, For: [][]string{{"staff"}}, Rules: rules}))(t)
		b.signIn(wiki+"/", "alice").wants(t, http.StatusOK, "")
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki+"/events", nil)
		r.AddCookie(&http.Cookie{Name: cookieName(n.bound[wiki]), Value: b.cookie(wiki)})
		res := must(g.Check(httptest.NewRecorder(), r))(t)
		if res.Answered || res.Origin() != wiki {
			t.Fatalf("%+v", res)
		}
		ok(t, g.CheckAgain(t.Context(), &res, nil, expires))
		lost = rules.MaxAge == 0 && wait == 10*time.Minute
		n.pass(wait)
		err := g.CheckAgain(t.Context(), &res, newest, expires)
		lost = false
		b = n.browser()
		if err == nil {
			return ""
		}
		return oauth.AsError(err).Reason
	}
	maxAge := sites.Rules{MaxAge: 5 * time.Minute}
	for _, tt := range []struct {
		name    string
		expires bool
		newest  *site.Site
		rules   sites.Rules
		wait    time.Duration
		want    oauth.Reason
	}{
		{"nothing", true, nil, sites.Rules{}, 9 * time.Minute, ""},
		{"a group is lost", true, nil, sites.Rules{}, 10 * time.Minute, oauth.ReasonNotAllowed},
		{"a group is lost, an upload", false, nil, sites.Rules{}, 10 * time.Minute, oauth.ReasonNotAllowed},
		{"a newer configuration", false, changedGroups.bound[wiki], sites.Rules{}, 0, oauth.ReasonNotAllowed},
		{"max_age", true, nil, maxAge, 10 * time.Minute, oauth.ReasonStepUp},
		{"max_age, an upload", false, nil, maxAge, 10 * time.Minute, ""},
		{"idle", true, nil, sites.Rules{}, 71 * time.Minute, oauth.ReasonExpired},
		{"idle, an upload", false, nil, sites.Rules{}, 71 * time.Minute, ""},
	} {
		if got := again(tt.expires, tt.newest, tt.rules, tt.wait); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
