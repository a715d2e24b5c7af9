// Package streams ends requests that outlive what let them in: WebSockets, server-sent
// events, downloads. A guard looks at a request once, when it begins; these are
// looked at again each second, and at once when something is revoked.
//
// Begin reading at Registry.
package streams

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

const (
	// lookEvery is how often all requests under way are looked at.
	lookEvery = time.Second
	// lookPause is the least time between two looks, however much is revoked.
	lookPause = 100 * time.Millisecond
	// lookTime is how long one look may wait for answers.
	lookTime = 5 * time.Second
	// lookers is how many grants are asked about at once, so that their questions to
	// the store gather, and each of them takes lookerShare at least.
	lookers     = 256
	lookerShare = 16
	// shards is in how many parts the requests under way are kept.
	shards = 64
)

// Grant is what a request under way lives by. Safe for concurrent use.
type Grant interface {
	// Ended says why the request has to end, nil while it may go on. It is asked each second.
	Ended(ctx context.Context) error
	// Tell hears once that the request was ended, and why. It must not block.
	Tell(err error)
}

// Handler serves a request. A caddyhttp.Handler is one.
type Handler interface {
	ServeHTTP(w http.ResponseWriter, r *http.Request) error
}

// Registry knows the guarded requests that are under way in this process. A request
// that is over before anybody looks costs two steps in a list and one allocation.
// Safe for concurrent use.
type Registry struct {
	report background.Report
	heard  chan struct{}
	start  sync.Once
	stop   context.CancelFunc
	living context.Context //nolint:containedctx // that of the background work, which begins with the first request
	shards [shards]shard
}

// New makes a Registry. Report hears of panics in its background work.
func New(report background.Report) *Registry {
	g := &Registry{report: report, heard: make(chan struct{}, 1)}
	g.living, g.stop = context.WithCancel(context.Background())
	return g
}

// Wake has all requests looked at soon: something was revoked. It does not block.
func (g *Registry) Wake() {
	select {
	case g.heard <- struct{}{}:
	default:
	}
}

// Close ends the background work. Requests that are under way are looked at no more.
func (g *Registry) Close() { g.stop() }

// Serve lets next serve a request that grant has let in, and ends it when that has ended:
// its context is canceled, and what goes on writing all the same is cut off a
// little later. The request is the same while next has it, but for its context.
func (g *Registry) Serve(w http.ResponseWriter, r *http.Request, grant Grant, next Handler) error {
	g.start.Do(func() { go background.Keep(g.living, g.report, g.run) })
	s := &stream{Context: r.Context(), writer: w, grant: grant}
	at := &g.shards[rand.Uint32()%shards] //nolint:gosec // no secret: which lock is taken
	at.add(s)
	*r = *r.WithContext(s)
	defer func() {
		if at.remove(s) { // whoever has to clean up needs a context that goes on
			*r = *r.WithContext(s.Context)
		}
	}()
	err := next.ServeHTTP(w, r)
	if at.wasCut(s) {
		panic(http.ErrAbortHandler) // its answer is not whole: nobody may take it, or the connection, for good
	}
	return err
}

// run looks at the requests until ctx ends.
func (g *Registry) run(ctx context.Context) {
	for ctx.Err() == nil {
		begun := time.Now()
		g.look(ctx)
		background.Pause(ctx, max(lookPause, 10*time.Since(begun))) // a tenth of one processor at most
		wait := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
		case <-g.heard:
		case <-wait.C:
		}
		wait.Stop()
	}
}

// look asks about all requests that are under way, and ends those whose grant has ended.
func (g *Registry) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	var all []found
	for i := range g.shards {
		all = g.shards[i].list(all)
	}
	n := min(lookers, (len(all)+lookerShare-1)/lookerShare)
	var asking sync.WaitGroup
	for first := range n {
		asking.Go(background.Safely(g.report, func() {
			for i := first; i < len(all); i += n {
				if err := all[i].stream.grant.Ended(ctx); err != nil {
					all[i].end(err)
				}
			}
		}))
	}
	asking.Wait()
}

// found is a request under way, and where it is kept.
type found struct {
	shard  *shard
	stream *stream
}

// end ends a request, unless it is over. One that has not listened is cut off.
func (f found) end(err error) {
	if f.shard.end(f.stream) {
		f.stream.grant.Tell(err)
	}
}
