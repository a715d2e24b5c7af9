package site_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSignIn: a deep link with its query leads through the start page and the login back to
// where it was; the application hears who it is, and none of our cookies.
func TestSignIn(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki)
	b := n.browser()
	a := b.start(wiki + "/page?x=1&y=%2F")
	if !strings.Contains(a.body, "wiki.example.com") {
		t.Errorf("the login page does not name the site: %s", a.body)
	}
	b.submit(a, "alice").wants(t, http.StatusOK, "the application at /page?x=1&y=%2F")
	for name, want := range map[string]string{"X-User-Id": "local|alice", "X-Email": "alice@example.com", "X-Groups": "staff"} {
		if got := app.last.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := app.last.Header.Get("Cookie"); got != "" {
		t.Errorf("Cookie went upstream: %q", got)
	}
	if c := b.cookie(wiki); len(c) < 90 || len(c) > 120 {
		t.Errorf("the cookie has %d characters", len(c))
	}
	calls := n.store.rotated.Load()
	for range 20 {
		b.fetch(http.MethodGet, wiki+"/data").wants(t, http.StatusOK, "the application")
	}
	if n.store.rotated.Load() != calls {
		t.Error("a known session asks the store")
	}
	if !regexp.MustCompile(`private`).MatchString(b.fetch(http.MethodGet, wiki+"/data").Header.Get("Cache-Control")) {
		t.Error("the answer is not private")
	}
	n.pass(12*time.Hour + time.Second)
	b.open(wiki+"/").wants(t, http.StatusUnauthorized, `id="sign-in"`)
}
