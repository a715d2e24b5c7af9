package login

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// slowLocal has users alice, user0 … user199, whose hashes take a while each.
func slowLocal(t *testing.T, slots int, cost time.Duration) (l testLocal, most *atomic.Int64) {
	t.Helper()
	var running atomic.Int64
	most = new(atomic.Int64)
	l = newTestLocal(t, func(cfg *LocalConfig) {
		for i := range 200 {
			cfg.Users = append(cfg.Users, User{Name: fmt.Sprint("user", i), Hash: cfg.Users[0].Hash})
		}
		cfg.Compare = func(_, password []byte) (bool, error) {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(cost)
			running.Add(-1)
			return string(password) == "correct", nil
		}
	})
	l.limits = NewLimits(clients.NewHashQueue(slots))
	return l, most
}

// outcomes counts what became of many tries at once.
type outcomes struct {
	wg                       sync.WaitGroup
	ok, wrong, delayed, busy atomic.Int64
	slowest                  atomic.Int64 // nanoseconds
}

func (o *outcomes) try(t *testing.T, l testLocal, a Attempt) {
	begun := time.Now()
	o.wg.Go(func() {
		_, err := l.try(t, a)
		wait, refused := errors.AsType[*WaitError](err)
		switch {
		case err == nil:
			o.ok.Add(1)
		case errors.Is(err, ErrWrong):
			o.wrong.Add(1)
		case refused && wait.Busy && wait.After >= time.Second:
			o.busy.Add(1)
		case refused && wait.After > 0:
			o.delayed.Add(1)
		default:
			t.Errorf("%s: %v", a.Name, err)
		}
		o.slowest.Store(max(o.slowest.Load(), int64(time.Since(begun))))
	})
}

// A4: 200 people sign in within two seconds, from as many addresses or out of
// one office, on the one slot of two processors: all are in, in what the hashes cost.
func TestA4HonestBurst(t *testing.T) {
	for _, office := range []bool{false, true} {
		t.Run(fmt.Sprint("office ", office), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const cost = 65 * time.Millisecond
				l, most := slowLocal(t, 1, cost)
				var o outcomes
				for i := range 200 {
					address := "192.0.2.1"
					if !office {
						address = fmt.Sprint("198.51.100.", i)
					}
					o.try(t, l, Attempt{Name: fmt.Sprint("user", i), Password: "correct", Address: address})
					time.Sleep(10 * time.Millisecond)
				}
				o.wg.Wait()
				if o.ok.Load() != 200 || most.Load() != 1 {
					t.Errorf("%d of 200 are in, %d wrong, %d delayed, %d busy; %d hashes at once",
						o.ok.Load(), o.wrong.Load(), o.delayed.Load(), o.busy.Load(), most.Load())
				}
				if slowest := time.Duration(o.slowest.Load()); slowest > 200*cost {
					t.Errorf("the slowest took %v, more than the hashes cost", slowest)
				}
			})
		})
	}
}

// A3: one account with the right password from 12 connections takes its share
// and no more, from one address or from many, and others sign in beside it.
func TestA3OneAccountOften(t *testing.T) {
	for _, tc := range []struct{ name, address, browser string }{
		{"one address", "192.0.2.1", ""},
		{"many addresses", "192.0.2.%d", ""},
		{"many known browsers", "192.0.2.%d", "%d"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _ := slowLocal(t, 1, 100*time.Millisecond)
				var greedy, honest outcomes
				end := time.Now().Add(time.Minute)
				for i := range 12 {
					greedy.wg.Go(func() {
						each := func(format string) string { return strings.ReplaceAll(format, "%d", strconv.Itoa(i)) }
						for time.Now().Before(end) {
							_, err := l.try(t, Attempt{Name: "alice", Password: "correct", Address: each(tc.address), Browser: each(tc.browser)})
							if err == nil {
								greedy.ok.Add(1)
							} else if wait, ok := errors.AsType[*WaitError](err); ok {
								greedy.delayed.Add(1)
								time.Sleep(wait.After)
							}
						}
					})
				}
				for i := range 100 {
					time.Sleep(500 * time.Millisecond)
					honest.try(t, l, Attempt{Name: fmt.Sprint("user", i), Password: "correct", Address: fmt.Sprint("198.51.100.", i)})
				}
				honest.wg.Wait()
				greedy.wg.Wait()
				if honest.ok.Load() != 100 || time.Duration(honest.slowest.Load()) > 300*time.Millisecond {
					t.Errorf("%d of 100 others are in, the slowest after %v", honest.ok.Load(), time.Duration(honest.slowest.Load()))
				}
				most := int64(signInsPerPair + time.Minute/signInEvery + 1)
				if tc.address != "192.0.2.1" {
					most = signInsPerAccount + int64(time.Minute/accountSignInEvery) + 1
				}
				if n := greedy.ok.Load(); n > most {
					t.Errorf("one account began %d sessions in a minute, want at most %d", n, most)
				}
			})
		})
	}
}

// DOS-07: a flood takes no more than the slots, for a bounded time; its answers
// are honest, and people come through it. Nobody learns from it who exists.
func TestHardeningDOS07(t *testing.T) {
	for _, tc := range []struct {
		name    string
		address func(i int) string
	}{
		{"from one address", func(int) string { return "192.0.2.1" }},
		{"from many", func(i int) string { return fmt.Sprint("2001:db8:", i/100, ":", i%100, "::1") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, most := slowLocal(t, 2, time.Second)
				var flood, honest, known outcomes
				flood.try(t, l, Attempt{Name: "unknown", Password: "x", Address: tc.address(0)})
				flood.wg.Wait() // the cost is known now
				for i := range 500 {
					flood.try(t, l, Attempt{Name: fmt.Sprint("unknown", i), Password: "x", Address: tc.address(i)})
				}
				synctest.Wait()
				for i := range 10 {
					known.try(t, l, Attempt{Name: "alice", Password: "correct", Address: tc.address(i), Browser: fmt.Sprint("hers ", i)})
				}
				honest.try(t, l, Attempt{Name: "alice", Password: "correct", Address: "198.51.100.7"})
				for _, o := range []*outcomes{&flood, &honest, &known} {
					o.wg.Wait()
				}
				if most.Load() > 2 {
					t.Errorf("%d comparisons at once, want at most 2", most.Load())
				}
				if flood.busy.Load() < 350 || time.Duration(flood.slowest.Load()) > passwordWait*3/2+time.Second {
					t.Errorf("%d of the flood were busy, the slowest took %v", flood.busy.Load(), time.Duration(flood.slowest.Load()))
				}
				if known.ok.Load() != 10 || time.Duration(known.slowest.Load()) > 12*time.Second {
					t.Errorf("%d of 10 in a browser of theirs are in, the slowest after %v", known.ok.Load(), time.Duration(known.slowest.Load()))
				}
				if tc.name == "from one address" && (honest.ok.Load() != 1 || time.Duration(honest.slowest.Load()) > 5*time.Second) {
					t.Errorf("from another address: %d in, after %v", honest.ok.Load(), time.Duration(honest.slowest.Load()))
				}
			})
		})
	}
}

// A8: 56 wrong passwords for alice from 14 addresses, then 2 a second from fresh
// ones. In a browser that she has signed in with before she is not refused.
func TestA8KnownBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := slowLocal(t, 2, 0)
		for i := range 56 {
			_, _ = l.try(t, Attempt{Name: "alice", Password: "guess", Address: fmt.Sprint("192.0.2.", i/4)})
		}
		refused := 0
		for i := range 50 {
			_, _ = l.try(t, Attempt{Name: "alice", Password: "guess", Address: fmt.Sprint("203.0.113.", i)})
			time.Sleep(500 * time.Millisecond)
			if _, err := l.try(t, Attempt{Name: "alice", Password: "correct", Address: "198.51.100.7", Browser: "hers"}); err != nil {
				t.Fatalf("in her browser: %v", err)
			}
			if _, err := l.try(t, Attempt{Name: "alice", Password: "correct", Address: "198.51.100.7"}); err != nil {
				refused++
			}
		}
		if refused < 40 {
			t.Errorf("in a new browser only %d of 50 were refused: the guesses from everywhere are not limited", refused)
		}
	})
}

// A stolen cookie has its own small allowance, and does not use up anybody's.
func TestA8StolenCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := slowLocal(t, 2, 0)
		apart(l.limits.browsers, "stolen", "hers")
		begun, compared := time.Now(), 0
		for time.Since(begun) < time.Hour {
			_, err := l.try(t, Attempt{Name: "alice", Password: "guess", Address: fmt.Sprint(compared), Browser: "stolen"})
			wait, ok := errors.AsType[*WaitError](err)
			switch {
			case errors.Is(err, ErrWrong):
				compared++
			case ok && wait.After > 0 && !wait.Busy:
				time.Sleep(wait.After)
			default:
				t.Fatal(err)
			}
		}
		if compared < freePerBrowser || compared > freePerBrowser+70 {
			t.Errorf("a stolen cookie is good for %d guesses an hour", compared)
		}
		if _, err := l.try(t, Attempt{Name: "alice", Password: "correct", Address: "home", Browser: "hers"}); err != nil {
			t.Errorf("her own browser: %v", err)
		}
		if _, err := l.try(t, Attempt{Name: "alice", Password: "correct", Address: "home"}); err != nil {
			t.Errorf("a new browser: %v", err)
		}
	})
}

// R7's kind: a clock that ran ahead and was set back locks nobody out.
func TestLimitsAndTheClock(t *testing.T) {
	now := time.Now().Add(40 * 24 * time.Hour)
	l := newTestLocal(t, func(cfg *LocalConfig) { cfg.Clock = func() time.Time { return now } })
	for range 20 {
		_, _ = l.try(t, Attempt{Name: "alice", Password: "guess", Address: "192.0.2.1"})
	}
	now = now.Add(-40 * 24 * time.Hour)
	_, err := l.try(t, Attempt{Name: "alice", Password: "correct", Address: "192.0.2.1"})
	if wait, ok := errors.AsType[*WaitError](err); ok && wait.After > longestWait {
		t.Errorf("to wait for %v", wait.After)
	}
	now = now.Add(longestWait)
	if _, err := l.try(t, Attempt{Name: "alice", Password: "correct", Address: "192.0.2.1"}); err != nil {
		t.Error(err)
	}
}
