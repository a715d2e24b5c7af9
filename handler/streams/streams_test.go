package streams

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errOver = errors.New("over")

// grant is good until somebody ends it.
type grant struct {
	over, asked, told atomic.Int64
}

func (g *grant) Ended(context.Context) error {
	g.asked.Add(1)
	if g.over.Load() > 0 {
		return errOver
	}
	return nil
}

func (g *grant) Tell(err error) {
	if errors.Is(err, errOver) {
		g.told.Add(1)
	}
}

// handler is a Handler.
type handler func(w http.ResponseWriter, r *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) error { return h(w, r) }

func serve(t *testing.T, g *Registry, lives Grant, h handler) error {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	err := g.Serve(httptest.NewRecorder(), r, lives, h)
	if r.Context().Err() != nil {
		t.Error("the request keeps a context that has ended")
	}
	return err
}

// G14: a request ends with what has let it in: soon after a word, within a second without one.
func TestG14RequestsEnd(t *testing.T) {
	type key struct{}
	for _, tt := range []struct {
		name   string
		woken  bool
		within time.Duration
		wait   func(r *http.Request) error
	}{
		{"by its context, woken", true, 2 * lookPause, func(r *http.Request) error { <-r.Context().Done(); return r.Context().Err() }},
		{"by its context", false, lookEvery + lookPause, func(r *http.Request) error { <-r.Context().Done(); return r.Context().Err() }},
		{"by a context made from it", true, 2 * lookPause, func(r *http.Request) error {
			ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), key{}, 1), 2*time.Hour)
			defer cancel()
			<-ctx.Done()
			return context.Cause(ctx)
		}},
		{"by looking at it", true, 5 * lookPause, func(r *http.Request) error {
			for r.Context().Err() == nil {
				time.Sleep(lookPause)
			}
			return r.Context().Err()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, lives := New(nil), new(grant)
				defer g.Close()
				time.AfterFunc(time.Hour, func() {
					lives.over.Add(1)
					if tt.woken {
						g.Wake()
					}
				})
				begun := time.Now()
				err := serve(t, g, lives, func(_ http.ResponseWriter, r *http.Request) error { return tt.wait(r) })
				if took := time.Since(begun) - time.Hour; !errors.Is(err, context.Canceled) || took < 0 || took > tt.within {
					t.Errorf("%v after %v", err, took)
				}
				synctest.Wait()
				if lives.told.Load() != 1 || lives.asked.Load() < 3000 {
					t.Errorf("told %d times, asked %d times", lives.told.Load(), lives.asked.Load())
				}
			})
		})
	}
}

// G14: who does not listen is cut off, and the answer is not taken for a whole one.
func TestG14DeafHandlersAreCutOff(t *testing.T) {
	g, lives := New(nil), new(grant)
	defer g.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = g.Serve(w, r, lives, handler(func(w http.ResponseWriter, _ *http.Request) error {
			for { // as a file server writes a large file
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return err
				}
				if lives.asked.Load() > 0 {
					lives.over.Store(1)
				}
			}
		}))
	}))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for buffer := make([]byte, 1<<20); err == nil; {
		_, err = resp.Body.Read(buffer)
	}
	if err.Error() == "EOF" {
		t.Error("the answer looks whole")
	}
	if lives.told.Load() != 1 {
		t.Errorf("told %d times", lives.told.Load())
	}
}

// A request that is over is asked about no more, whatever becomes of its grant, and what it
// has left behind is not canceled.
func TestRequestsThatAreOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, lives := New(nil), new(grant)
		defer g.Close()
		var after context.Context
		if err := serve(t, g, lives, func(_ http.ResponseWriter, r *http.Request) error { after = r.Context(); return errOver }); !errors.Is(err, errOver) {
			t.Errorf("error %v", err)
		}
		asked := lives.asked.Load()
		lives.over.Add(1)
		g.Wake()
		time.Sleep(time.Minute)
		if lives.asked.Load() != asked || lives.told.Load() != 0 || after.Err() != nil {
			t.Errorf("asked %d times more, told %d times: %v", lives.asked.Load()-asked, lives.told.Load(), after.Err())
		}
	})
}

// A client that leaves ends its request, as without us.
func TestClientsThatLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(nil)
		defer g.Close()
		ctx, leave := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { leave(errOver) })
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		err := g.Serve(httptest.NewRecorder(), r, new(grant), handler(func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return context.Cause(r.Context())
		}))
		if !errors.Is(err, errOver) {
			t.Errorf("error %v", err)
		}
	})
}

// Many requests are looked at together, and those that end are the right ones.
func TestManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10_000
		g := New(nil)
		defer g.Close()
		grants := make([]grant, n)
		var ended atomic.Int64
		done, stop := context.WithCancel(t.Context())
		defer stop()
		for i := range grants {
			go func() {
				r := httptest.NewRequestWithContext(done, http.MethodGet, "/", nil)
				_ = g.Serve(httptest.NewRecorder(), r, &grants[i], handler(func(_ http.ResponseWriter, r *http.Request) error {
					<-r.Context().Done()
					if done.Err() == nil {
						ended.Add(1)
					}
					return nil
				}))
			}()
		}
		synctest.Wait()
		for i := 0; i < n; i += 10 {
			grants[i].over.Add(1)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if ended.Load() != n/10 {
			t.Errorf("%d have ended, want %d", ended.Load(), n/10)
		}
		stop()
		synctest.Wait()
	})
}

// A request that is over soon costs one allocation.
func TestAllocations(t *testing.T) {
	g, lives := New(nil), new(grant)
	defer g.Close()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	w, next := httptest.NewRecorder(), handler(func(http.ResponseWriter, *http.Request) error { return nil })
	if n := testing.AllocsPerRun(1000, func() { _ = g.Serve(w, r, lives, next) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkServe(b *testing.B) {
	g, lives := New(nil), new(grant)
	defer g.Close()
	next := handler(func(http.ResponseWriter, *http.Request) error { return nil })
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r, w := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil), httptest.NewRecorder()
		for pb.Next() {
			_ = g.Serve(w, r, lives, next)
		}
	})
}
