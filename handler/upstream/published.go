package upstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// The times of published.
const (
	requestTimeout   = 10 * time.Second // of all requests to a provider for one person, and of discovery
	discoveryEvery   = time.Hour
	discoveryFirst   = 5 * time.Second // after a failure, doubled each time
	discoveryLongest = time.Minute
	discoveryPause   = 5 * time.Second  // the least time between two fetches
	firstWait        = 2 * time.Second  // for the first fetch, by who wants to sign in
	backAfter        = 5 * time.Second  // from who has left for the provider something is heard by then, or it may be down
	lookEvery        = 15 * time.Second // the least time between two fetches that look whether it is
)

// lostAfter is how many fetches fail in a row before a provider of which there is a good
// document counts as lost: one alone may be nothing.
const lostAfter = 3

// published holds what a provider publishes of itself: the last good document. It is
// fetched in the background.
type published struct {
	discover func(ctx context.Context) (*metadata, error)
	told     func(before, now *metadata, err error) // of each fetch
	report   background.Report

	held atomic.Pointer[metadata]
	wake chan struct{}

	mu      sync.Mutex
	began   time.Time     // the last fetch
	flight  chan struct{} // closed at the end of a fetch that is under way or was asked for; nil for none
	failure error         // of the last fetch
	failed  int           // fetches in a row
	left    time.Time     // when somebody left for the provider since whom nobody has come back; zero for nobody
	ended   bool
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// start begins to fetch, if that has not begun, and does not wait. After close it does nothing.
func (p *published) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.cancel != nil || p.discover == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.flight = cancel, make(chan struct{})
	p.running.Go(background.Safely(p.report, func() { background.Keep(ctx, p.report, p.run) }))
}

// close ends the fetching and waits for it.
func (p *published) close() {
	p.mu.Lock()
	p.ended = true
	cancel := p.cancel
	p.mu.Unlock()
	if cancel != nil {
		cancel()
		p.running.Wait()
	}
}

// document returns the last good document. Where there is none yet it is wanted at once,
// and who asks waits for a fetch that is under way, a bounded moment. Nil is none.
func (p *published) document() *metadata {
	if d := p.held.Load(); d != nil {
		return d
	}
	p.start()
	if flight := p.want(); flight != nil {
		limit := time.NewTimer(firstWait)
		defer limit.Stop()
		select {
		case <-flight:
		case <-limit.C:
		}
	}
	return p.held.Load()
}

// want asks for a fetch, unless the last began a moment ago, and returns the end of the
// one that is under way; nil for none.
func (p *published) want() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ask(discoveryPause)
}

// ask is want, unless the last fetch began less than a pause ago.
func (p *published) ask(pause time.Duration) chan struct{} {
	if p.flight != nil || p.ended || p.discover == nil || time.Since(p.began) < pause {
		return p.flight
	}
	p.flight = make(chan struct{})
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return p.flight
}

// trouble is why there is no document; nil where there is one.
func (p *published) trouble() error {
	if p.held.Load() != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil {
		return errors.New("fetching discovery document: it has not been fetched yet")
	}
	return p.failure
}

// leaves notes that somebody leaves for the provider. Where nobody has come back since the
// last who did, it may be down, which only their browsers would show: it is looked at, in
// the background, each 15 seconds at most.
func (p *published) leaves() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left.IsZero() {
		p.left = time.Now()
	} else if time.Since(p.left) >= backAfter {
		p.ask(lookEvery)
	}
}

// returns notes that somebody has come back from the provider.
func (p *published) returns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = time.Time{}
}

// lost returns the failure of the last fetch where the provider has lost its good document
// for some time, nil else.
func (p *published) lost() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed < lostAfter {
		return nil
	}
	return p.failure
}

// run fetches for as long as ctx lives.
func (p *published) run(ctx context.Context) {
	for ctx.Err() == nil {
		due := time.NewTimer(p.next(p.fetch(ctx)))
		select {
		case <-ctx.Done():
		case <-due.C:
		case <-p.wake:
		}
		due.Stop()
	}
}

// next is how long it is until the next fetch, after one with this error.
func (p *published) next(err error) time.Duration {
	if err == nil {
		return discoveryEvery
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return min(discoveryFirst<<min(max(p.failed-1, 0), 10), discoveryLongest)
}

// fetch fetches once. Only a good document takes the place of a good one.
func (p *published) fetch(ctx context.Context) error {
	p.mu.Lock()
	p.began = time.Now()
	select {
	case <-p.wake: // this fetch answers it
	default:
	}
	if p.flight == nil {
		p.flight = make(chan struct{})
	}
	p.mu.Unlock()
	defer p.landed()
	limited, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	before := p.held.Load()
	d, err := p.discover(limited)
	if ctx.Err() != nil {
		return ctx.Err() // nobody wants to know any more
	}
	if err == nil {
		p.held.Store(d)
	}
	p.mu.Lock()
	p.failure = err
	if err != nil {
		p.failed++
	} else {
		p.failed, p.left = 0, time.Time{}
	}
	p.mu.Unlock()
	p.told(before, d, err)
	return err
}

// landed lets go who waits for the fetch.
func (p *published) landed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.flight)
	p.flight = nil
}
