package site_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// TestCost: a known session costs what a known token costs: no call of the store, and few
// allocations beside those of the application.
func TestCost(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	s := n.bound[wiki]
	g := must(newGuard(s))(t)
	cookie := "a=1; " + cookieName(s) + "=" + b.cookie(wiki) + "; theme=dark"
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki+"/", nil)
	w := discard{make(http.Header)}
	calls := n.store.rotated.Load() + n.store.asked.Load()
	allocations := testing.AllocsPerRun(1000, func() {
		r.Header["Cookie"] = []string{cookie}
		res, err := g.Check(w, r)
		if err != nil || res.Answered {
			t.Fatal("refused")
		}
		next.ServeHTTP(res.Writer, r)
	})
	if allocations > 12 {
		t.Errorf("%v allocations", allocations)
	}
	if n.store.rotated.Load()+n.store.asked.Load() != calls {
		t.Error("the store was asked")
	}
	t.Logf("%v allocations", allocations)
}

func BenchmarkCheck(b *testing.B) {
	n := newWorld(b).node()
	n.guard(wiki)
	someone := n.browser()
	someone.signIn(wiki+"/", "alice")
	g := must(newGuard(n.bound[wiki]))(b)
	cookie := "a=1; " + cookieName(n.bound[wiki]) + "=" + someone.cookie(wiki) + "; theme=dark"
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, wiki+"/", nil)
	for _, name := range []string{"User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "If-None-Match"} {
		r.Header.Set(name, "same-origin")
	}
	w := discard{make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		r.Header["Cookie"] = []string{cookie}
		if res, err := g.Check(w, r); err != nil || res.Answered {
			b.Fatal("refused")
		}
	}
}
