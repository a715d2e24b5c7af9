package site_test

import (
	"net/http"
	"testing"
	"time"
)

// TestH6R13NextPerson: rows H6 and R13: what the application keeps in a browser goes with the
// person, also when their session was over long before the next one signs in, and stays for who
// comes back.
func TestH6R13NextPerson(t *testing.T) {
	for name, over := range map[string]func(b *browser){
		"signed out":  func(b *browser) { b.signOut() },
		"long over":   func(b *browser) { b.n.pass(13 * time.Hour); b.plant(wiki, "") },
		"ended there": func(b *browser) { b.plant(wiki, "no cookie") },
	} {
		t.Run(name, func(t *testing.T) {
			n := newWorld(t).node()
			app := n.guard(wiki)
			b := n.browser()
			b.signIn(wiki+"/", "bob")
			at := must(http.NewRequestWithContext(t.Context(), http.MethodGet, wiki+"/", nil))(t).URL
			b.jar.SetCookies(at, []*http.Cookie{{Name: "grafana_session", Value: "bobs", Path: "/"}})
			in := func(person, want string) {
				t.Helper()
				over(b)
				page := b.open(wiki + "/.gatehouse/login?other=1&to=/")
				b.submit(page, person).wants(t, http.StatusOK, "")
				if got := app.last.Header.Get("Cookie"); app.last.Header.Get("X-User-Id") != "local|"+person || got != want {
					t.Errorf("%s comes in, and the application sees %q of %s", person, got, app.last.Header.Get("X-User-Id"))
				}
			}
			in("bob", "grafana_session=bobs")
			in("alice", "")
			b.jar.SetCookies(at, []*http.Cookie{{Name: "grafana_session", Value: "alices", Path: "/"}})
			in("alice", "grafana_session=alices")
		})
	}
}
