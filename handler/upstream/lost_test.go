package upstream

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// F13, LOG-20: a provider that goes down while its document is good shows nobody but the browsers
// of those who leave for it. Where nobody has come back it is looked at, and not for each who leaves.
func TestF13LeavingLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFetches(0)
		f.say(nil, 0)
		f.start()
		leaves := func(after time.Duration, want int) {
			t.Helper()
			time.Sleep(after)
			before := f.count()
			f.leaves()
			synctest.Wait()
			if n := f.count() - before; n != want {
				t.Errorf("%s after the start: %d fetches, want %d", time.Since(f.from), n, want)
			}
		}
		leaves(2*time.Minute, 0)
		leaves(backAfter-1, 0)
		leaves(time.Second, 1)
		leaves(time.Second, 0) // it is there
		leaves(lookEvery, 1)
		for range 100 { // people come and go
			leaves(2*time.Second, 0)
			f.returns()
		}
		f.say(errors.New("away"), 0)
		leaves(time.Minute, 0)
		leaves(backAfter, 1)
		if f.lost() != nil {
			t.Error("one failure is a loss")
		}
		leaves(time.Second, 0)
		time.Sleep(discoveryFirst * 3)
		synctest.Wait()
		if f.lost() == nil {
			t.Error("three failures are no loss")
		}
		f.say(nil, 0)
		time.Sleep(discoveryLongest)
		synctest.Wait()
		if f.lost() != nil {
			t.Error("it is back")
		}
		f.close()
	})
}

// F13, F14: that a provider of which there is a good document does not answer any more is told,
// once, and that it is back; what only lacks its document is not away.
func TestF13Lost(t *testing.T) {
	p := newProvider(t)
	cfg, h := p.config(), new(heard)
	cfg.Observer = h
	o := start(t, cfg)
	answer := func(status int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.paths, "/.well-known/openid-configuration")
		if status != 0 {
			p.paths["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) {
				if status < 0 {
					panic(http.ErrAbortHandler)
				}
				w.WriteHeader(status)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		status int
		away   bool
	}{{"it hangs up", -1, true}, {"503", 503, true}, {"404", 404, false}} {
		answer(tt.status)
		for i := range 5 {
			if err := o.published.fetch(t.Context()); err == nil {
				t.Fatal("fetched")
			}
			var told []oauth.Outcome
			if i == lostAfter-1 {
				told = []oauth.Outcome{oauth.LoginNoDiscovery}
			}
			if got := h.take(); !slices.Equal(got, told) {
				t.Errorf("%s: fetch %d: told %v, want %v", tt.name, i, got, told)
			}
			away := tt.away && i >= lostAfter-1
			if err := o.Away(); (err != nil) != away {
				t.Errorf("%s: fetch %d: away: %v", tt.name, i, err)
			} else if away {
				want(t, err, login.FailedDown, reasonUnreachable)
			}
			if _, err := o.Begin(departure()); err != nil {
				t.Errorf("%s: nobody can leave for it: %v", tt.name, err)
			}
		}
		answer(0)
		if err := o.published.fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := h.take(); !slices.Equal(got, []oauth.Outcome{oauth.OutcomeOK}) || o.Away() != nil {
			t.Errorf("%s: it is back: told %v, away: %v", tt.name, got, o.Away())
		}
	}
}
