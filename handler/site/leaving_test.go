package site_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/site"
)

// signOut presses the button of a page.
func (b *browser) signOut() *answer {
	b.n.t.Helper()
	return b.signOutIn(b.n.t.Context())
}

func (b *browser) signOutIn(ctx context.Context) *answer {
	b.n.t.Helper()
	return b.sendIn(ctx, http.MethodPost, wiki+"/.gatehouse/logout", nil, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
}

// TestF62SecondClick: a second click on a sign-out goes the way of the first, to the issuer and so
// to the provider, whether the browser has had the answer to the first or not: once the session is
// over, for half a minute, and in no other browser.
func TestF62SecondClick(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	n.guard(dash)
	toProvider := func(a *answer) string {
		t.Helper()
		to := must(url.Parse(a.Header.Get("Location")))(t)
		if a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		return to.Query().Get("site_logout")
	}
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	session := b.cookie(wiki)
	before := n.store.ended.Load()
	first := toProvider(b.signOut())
	if first == "" || b.cookie(wiki) != "" {
		t.Fatalf("the way %q, the cookie %q", first, b.cookie(wiki))
	}
	// It has had the answer.
	if got := toProvider(b.signOut()); got != first {
		t.Errorf("goes to %q, and first to %q", got, first)
	}
	// It has not: it still sends the session's cookie, and no other.
	early := n.browser()
	early.plant(wiki, session)
	if got := toProvider(early.signOut()); got != first {
		t.Errorf("before the answer: goes to %q, and first to %q", got, first)
	}
	if calls := n.store.ended.Load() - before; calls != 1 {
		t.Errorf("the store was asked %d times to end it", calls)
	}
	if got := toProvider(n.browser().signOut()); got != "" {
		t.Errorf("another browser: goes to %q", got)
	}
	for name, headers := range map[string][]string{
		"a stranger's form": {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, "a sibling's": {"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate"},
	} {
		if a := b.send(http.MethodPost, wiki+"/.gatehouse/logout", nil, headers...); a.Header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Header)
		}
	}
	late := n.browser()
	late.plant(wiki, session)
	n.pass(31 * time.Second)
	if got := toProvider(late.signOut()); got != "" {
		t.Errorf("half a minute later: goes to %q", got)
	}
	// The next session is another one.
	b.signIn(wiki+"/", "bob")
	for _, c := range b.jar.Cookies(must(url.Parse(wiki))(t)) {
		if strings.Contains(c.Name, "leaving") {
			t.Errorf("the next person has %s", c.Name)
		}
	}
	if got := toProvider(b.signOut()); got == "" || got == first {
		t.Errorf("the next person goes to %q", got)
	}
}

// TestF62SecondClickHangsUp: the browser has hung up on the first click before the store has
// answered it.
func TestF62SecondClickHangsUp(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	n.guard(wiki)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	again := n.browser()
	again.plant(wiki, b.cookie(wiki))

	e := &ending{make(chan struct{}), make(chan struct{})}
	w.store.ending.Store(e)
	gone, hangUp := context.WithCancel(t.Context())
	first, second := make(chan *answer, 1), make(chan *answer, 1)
	go func() { first <- b.signOutIn(gone) }()
	<-e.there
	hangUp()
	go func() { second <- again.signOutIn(t.Context()) }()
	close(e.on)
	one, two := <-first, <-second
	if to := two.Header.Get("Location"); !strings.Contains(to, "site_logout=") || to != one.Header.Get("Location") {
		t.Errorf("goes to %q, and first to %q", to, one.Header.Get("Location"))
	}
	again.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")
}

// TestF62SecondClickAway: what the store could not do is done by the next click.
func TestF62SecondClickAway(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	n.guard(wiki, func(c *site.SiteConfig, _ *site.Config) { c.Life.Idle = 0 })
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	w.store.away.Store(true)
	if a := b.signOut(); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || b.cookie(wiki) == "" {
		t.Errorf("the store is away: %d %s", a.StatusCode, a.Header)
	}
	w.store.away.Store(false)
	if to := b.signOut().Header.Get("Location"); !strings.Contains(to, "site_logout=") {
		t.Errorf("goes to %q", to)
	}
}
