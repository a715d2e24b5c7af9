package site_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// TestR7OthersPages: row R7: what pages of other sites send, frames and what is fetched ahead keep
// nobody signed in.
func TestR7OthersPages(t *testing.T) {
	frame := []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}
	for name, tt := range map[string]struct {
		onlyPeople bool
		headers    []string
		want       int
	}{
		"another site": {false, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, http.StatusUnauthorized},
		"a frame":      {true, frame, http.StatusUnauthorized},
		"ahead":        {true, append([]string{"Sec-Purpose", "prefetch", "Sec-Fetch-Site", "same-origin"}, navigates...), http.StatusUnauthorized},
		"a WebSocket":  {true, []string{"Upgrade", "websocket", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "websocket"}, http.StatusUnauthorized},
		"a page":       {true, append([]string{"Sec-Fetch-Site", "same-origin"}, navigates...), http.StatusOK},
		"any frame":    {false, frame, http.StatusOK},
	} {
		n := newWorld(t).node()
		n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.OnlyPeople = tt.onlyPeople })
		b := n.browser()
		b.signIn(wiki+"/", "alice")
		for range 75 {
			n.pass(time.Minute)
			b.send(http.MethodGet, wiki+"/", nil, tt.headers...)
		}
		if a := b.fetch(http.MethodGet, wiki+"/"); a.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", name, a.StatusCode, tt.want)
		}
	}
}

// changed is an issuer with something else about its sessions.
type changed struct {
	site.Issuer
	change func(*sites.Session)
}

func (c changed) Session(ctx context.Context, origin, cookie string, life sites.Life, used bool) (*sites.Session, error) {
	s, err := c.Issuer.Session(ctx, origin, cookie, life, used)
	if err == nil {
		c.change(s)
	}
	return s, err
}

// TestS8Again: row S8: who comes back from a sign-in and is asked to sign in again sees why, and
// goes round no further: where their provider does not say when they signed in, whatever
// `max_age` there is, and where something ahead of the guard takes the cookie.
func TestS8Again(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki, func(s *site.SiteConfig, c *site.Config) {
		s.Issuer = changed{s.Issuer, func(session *sites.Session) { session.Claims.AuthTime = time.Time{} }}
		c.Rules.MaxAge = 365 * 24 * time.Hour
	})
	n.guard(dash)
	guarded := n.hosts["dash.example.net"]
	n.hosts["dash.example.net"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !site.Owns(r.URL.Path) {
			wire.DropCookies(r.Header, func(name string) bool { return name == cookieName(n.bound[dash]) })
		}
		guarded.ServeHTTP(w, r)
	})
	for _, address := range []string{wiki + "/page", dash + "/page"} {
		b := n.browser()
		a := b.signIn(address, "alice").wants(t, http.StatusUnauthorized, "still asks you to")
		if strings.Contains(a.body, "<script") || !strings.Contains(a.body, "&amp;other=1") {
			t.Errorf("%s: %s", address, a.said())
		}
		n.pass(31 * time.Second)
		b.start(address)
	}
	b := n.browser()
	b.open(dash + "/.gatehouse/login?to=/.gatehouse/session") // signed in nowhere, so nothing is marked
	b.open(dash+"/").wants(t, http.StatusUnauthorized, "data-of")
	if app.hits != 0 {
		t.Error("somebody is in")
	}
}

// TestUpstreamTokenOnce: of twenty requests at once that need an access token for the upstream one
// has it minted.
func TestUpstreamTokenOnce(t *testing.T) {
	n := newWorld(t).node()
	var minted, checked atomic.Int64
	gate := make(chan struct{})
	s := n.Sites()
	n.guard(wiki, func(sc *site.SiteConfig, c *site.Config) {
		sc.Issuer = counting{changed{s, func(session *sites.Session) {
			mint := session.Token
			session.Token = func(ctx context.Context, api string, scopes []string) (string, time.Time, error) {
				minted.Add(1)
				<-gate
				return mint(ctx, api, scopes)
			}
		}}, &checked}
		c.Upstream = &site.UpstreamToken{API: wikiAPI, Scopes: []string{"pages:read"}, Header: "X-Token"}
	})
	passes := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	g := must(site.New(site.Config{Sites: []*site.Site{n.bound[wiki]}, Upstream: &site.UpstreamToken{API: wikiAPI, Header: "X-Token"}}))(t)
	b := n.browser()
	page := b.comeBack(wiki+"/", "alice")
	b.send(http.MethodGet, page, nil, navigates...)
	n.hosts[wikiHost] = serving(n.bound[wiki], g, passes)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki+"/", nil)
			r.AddCookie(&http.Cookie{Name: cookieName(n.bound[wiki]), Value: b.cookie(wiki)})
			w := httptest.NewRecorder()
			if n.hosts[wikiHost].ServeHTTP(w, r); w.Code != http.StatusOK {
				t.Errorf("%d", w.Code)
			}
		})
	}
	for checked.Load() < 20 || minted.Load() == 0 {
		runtime.Gosched()
	}
	close(gate)
	all.Wait()
	if got := minted.Load(); got != 1 {
		t.Errorf("%d tokens were minted", got)
	}
}

// counting counts the requests whose session was looked at.
type counting struct {
	site.Issuer
	checked *atomic.Int64
}

func (c counting) Check(ctx context.Context, claims *verify.Claims) error {
	defer c.checked.Add(1)
	return c.Issuer.Check(ctx, claims)
}
