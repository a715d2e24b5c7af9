package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// abuse are the flags of benchAbuse.
type abuse struct {
	rows    string        // which rows, by the begin of their names; "" for all
	rate    int           // bob's requests a second, where the row has no rate of its own
	last    time.Duration // of one measurement
	settles time.Duration // between two
	rounds  int           // of which the samples are put together
	quiet   int           // harmless requests a second while it is quiet; 0 for as many as bob's
}

// benchAbuse measures what alice notices of what bob does, by the rule that no
// work grows with what one user has done before. In the same run bob first sends as
// many harmless requests, so that the ratio is not of shared processors.
func benchAbuse(ctx context.Context, o options) error {
	fmt.Printf("### Alice's refreshes and logins while bob does his worst, %s each, %d of his requests a second unless the row has its own rate\n\n", o.abuse.last, o.abuse.rate)
	fmt.Println("| store | bob | his rate/s, answers | refresh p50, p99 quiet | under attack | ratio of p99 | login p50, p99 quiet | under attack | ratio of p99 | gateway's CPU | her refusals |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|")
	for _, store := range []string{"bbolt", "Redis"} {
		for _, row := range abuseRows {
			if !wanted(o.abuse.rows, row.name) {
				continue
			}
			if err := measureAbuse(ctx, o, store, row); err != nil {
				return fmt.Errorf("%s on %s: %w", row.name, store, err)
			}
		}
	}
	fmt.Println()
	return nil
}

// wanted reports whether a list of names, parted by commas, is empty or has the begin of name.
func wanted(list, name string) bool {
	return list == "" || slices.ContainsFunc(strings.Split(list, ","), func(w string) bool { return strings.HasPrefix(name, w) })
}

// measureAbuse runs one row on a server of its own.
func measureAbuse(ctx context.Context, o options, store string, row abuseRow) (err error) {
	s, err := newSetup(o, "abuse", "ES256")
	if err != nil {
		return err
	}
	s.Store = filepath.Join(o.dir, fmt.Sprintf("abuse-%d.db", s.AuthPort))
	s.File = abuseSite
	if store == "Redis" {
		r, err := startRedis(ctx, o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.stop()) }()
		s.Redis = r.addr
	}
	srv, err := start(ctx, o, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	site := &abuseSiteOf{server: srv, admin: fmt.Sprintf("http://localhost:%d", s.AdminPort)}
	alice, err := newPerson(ctx, site, "alice", alicePassword, "198.51.100.7")
	if err != nil {
		return err
	}
	attack, err := row.begin(ctx, site)
	if err != nil {
		return err
	}
	rate := o.abuse.rate
	if row.rate > 0 {
		rate = row.rate
	}
	var quiet, loud lived
	harmless := max(cmp.Or(o.abuse.quiet, rate), 1)
	bob := newTraffic(attack, rate, row.workers)
	for range o.abuse.rounds {
		alice.live(ctx, o, newTraffic(site.harmless(), harmless, row.workers), &quiet)
		pause(ctx, o.abuse.settles)
		halfway := time.AfterFunc(o.abuse.last/2, func() {
			if row.halfway != nil {
				bob.answers.note(row.halfway(ctx, site))
			}
		})
		alice.live(ctx, o, bob, &loud)
		halfway.Stop()
	}
	fmt.Printf("| %s | %s | %.0f, %s | %s | %s | %s | %s | %s | %s | %s, %s | %s |\n", store, row.name, bob.rateDone(o.abuse.last)/float64(o.abuse.rounds), &bob.answers,
		quiet.refreshes, loud.refreshes, ratioOf(quiet.refreshes, loud.refreshes), quiet.logins, loud.logins, ratioOf(quiet.logins, loud.logins), quiet.share(o), loud.share(o), &loud.refused)
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// attack is one request of bob's, the n-th, with a client of the worker's own.
type attack func(ctx context.Context, client *http.Client, n int) (status int, err error)

// traffic is bob's requests: so many a second at most, by some workers.
type traffic struct {
	attack  attack
	rate    int
	workers int
	sent    atomic.Int64
	answers answers
}

func newTraffic(a attack, rate, workers int) *traffic {
	return &traffic{attack: a, rate: rate, workers: max(workers, 4)}
}

// run sends until ctx ends.
func (t *traffic) run(ctx context.Context) {
	begun := time.Now()
	var next atomic.Int64
	var running sync.WaitGroup
	for range t.workers {
		running.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, CheckRedirect: noRedirects, Timeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				n := int(next.Add(1) - 1)
				pause(ctx, time.Until(begun.Add(time.Duration(n)*time.Second/time.Duration(t.rate))))
				status, err := t.attack(ctx, client, n)
				if ctx.Err() != nil {
					return
				}
				t.sent.Add(1)
				t.answers.add(status, err)
			}
		})
	}
	running.Wait()
}

func (t *traffic) rateDone(d time.Duration) float64 { return float64(t.sent.Load()) / d.Seconds() }

// answers counts statuses.
type answers struct {
	mu    sync.Mutex
	count map[string]int
}

func (a *answers) add(status int, err error) {
	name := fmt.Sprint(status)
	if err != nil {
		name = "failed"
	}
	a.addNamed(name)
}

func (a *answers) addNamed(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count == nil {
		a.count = make(map[string]int)
	}
	a.count[name]++
}

// note counts an error by its text.
func (a *answers) note(err error) {
	if err != nil {
		a.addNamed(err.Error())
	}
}

// String lists the statuses, the most frequent first.
func (a *answers) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := make([]string, 0, len(a.count))
	for name := range a.count {
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int { return a.count[y] - a.count[x] })
	for i, name := range names {
		names[i] = fmt.Sprintf("%d x %s", a.count[name], name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// times are how long something took.
type times []time.Duration

func (t times) at(percent int) time.Duration {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}

func (t times) String() string {
	return fmt.Sprintf("%.1f, %.1f ms (%d)", milliseconds(t.at(50)), milliseconds(t.at(99)), len(t))
}

func ratioOf(quiet, loud times) string {
	if len(quiet) == 0 || len(loud) == 0 {
		return "none got through"
	}
	return fmt.Sprintf("%.2f", float64(loud.at(99))/float64(quiet.at(99)))
}
