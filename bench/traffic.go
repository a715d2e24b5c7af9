package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

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
