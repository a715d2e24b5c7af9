package site_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestRedisNodes: two nodes on one Redis: a sign-in begins at one and ends at the other, which
// has no site; the session is good at both, and a sign-out at one reaches the other by the feed.
func TestRedisNodes(t *testing.T) {
	server := redistest.Start(t)
	hash := newWorld(t).hash
	open := func() *node {
		w := newWorld(t)
		w.real, w.hash = true, hash
		w.store = &watchedStore{Store: redisstore.New(redisstore.Options{Addresses: []string{server.Addr}, KeyPrefix: t.Name() + ":", Timeout: 5 * time.Second})}
		return w.node()
	}
	a, z := open(), open()
	a.guard(wiki)
	b := a.browser()
	a.hosts[authHost] = z.server
	b.signIn(wiki+"/page", "alice").wants(t, http.StatusOK, "the application at /page")
	z.guard(wiki)
	there := &browser{n: z, jar: b.jar}
	there.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")
	before := a.store.rotated.Load()
	for range 10 {
		b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusOK, "")
		b.fetch(http.MethodGet, wiki+"/.gatehouse/session").wants(t, http.StatusOK, "local|alice")
	}
	if a.store.rotated.Load() != before {
		t.Error("a known session asks the store")
	}
	cookie := b.cookie(wiki)
	b.send(http.MethodPost, wiki+"/.gatehouse/logout", nil, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate").wants(t, http.StatusSeeOther, "")
	b.plant(wiki, cookie)
	b.fetch(http.MethodGet, wiki+"/").wants(t, http.StatusUnauthorized, "")
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(5 * time.Second); ; <-tick.C {
		if there.fetch(http.MethodGet, wiki+"/").StatusCode == http.StatusUnauthorized {
			return
		}
		if time.Now().After(late) {
			t.Fatal("the other node lets a copy of the cookie in")
		}
	}
}
