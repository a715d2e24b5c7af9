package clients

import (
	"container/heap"
	"context"
	"fmt"
	"hash/maphash"
	"runtime"
	"sync"
	"time"
)

// HashQueue decides when a slow hash (bcrypt, argon2id) is computed: those of
// people's passwords and of clients' secrets. Fewer run at once than there are
// processors, so that tokens and guarded routes have one to themselves; the
// others wait for their turn, for a bounded time and in a bounded number. Turns
// are shared fairly: between the classes, and within one between the accounts
// and between the addresses, so that an address that sends many waits behind its own.
// A single caller may use all of it. Safe for concurrent use.
type HashQueue struct {
	slots int
	seed  maphash.Seed

	mu      sync.Mutex
	classes [hashClasses]hashClass
	turn    HashClass // which was served last
	running int       // hashes at this moment,
	threads int       // the processors that they may use,
	memory  int64     // and the bytes that they take
	cost    time.Duration
	stats   HashStats
}

// HashClass says what a hash is computed for. The classes that have somebody
// waiting take turns, so that a flood in one leaves the others their share.
type HashClass uint8

// The classes.
const (
	HashOfPerson       HashClass = iota // a sign-in
	HashOfKnownBrowser                  // a sign-in in a browser that the account has signed in with before
	HashOfClient                        // a client's secret
	hashClasses
)

// HashJob is one hash to be computed.
type HashJob struct {
	Class   HashClass
	Account string // whose share it comes out of; "" for nobody's
	Address string // likewise, the network that it came from
	Hash    string // bcrypt or argon2id; its parameters say how much memory it takes
	// MaxWait is how long the job may have to wait for its turn, estimated from what
	// hashes have cost lately: one that would wait longer is refused at once. After
	// one and a half times MaxWait it is abandoned.
	MaxWait time.Duration
}

// HashStats counts since the process began, and what waits now.
type HashStats struct {
	Computed uint64
	Took     time.Duration // all of them together
	Waiting  int
}

// HashBusyError refuses a job that would have to wait too long.
type HashBusyError struct {
	After time.Duration // when there is likely to be room again
}

// Error says what there is too much of.
func (e *HashBusyError) Error() string {
	return fmt.Sprintf("waiting to compare hash: too many wait already, try again in %s", e.After.Round(time.Second))
}

const (
	// hashWaiting is how many jobs of one class may wait: a request that waits
	// holds some 20 to 60 kB.
	hashWaiting = 1024
	// hashMemory is how much memory all running hashes may take, in bytes. One
	// that takes more by itself runs alone.
	hashMemory = 512 << 20
	// hashCostGuess is what a hash is taken to cost until one was measured.
	hashCostGuess = 100 * time.Millisecond
)

// NewHashQueue makes a HashQueue that computes this many hashes at once; 0 leaves
// a quarter of the processors free, and at least one where there are two.
func NewHashQueue(slots int) *HashQueue {
	if slots <= 0 {
		n := runtime.GOMAXPROCS(0)
		slots = max(1, n-max(1, n/4))
	}
	return &HashQueue{slots: slots, seed: maphash.MakeSeed()}
}

// Do runs work when it is the job's turn. The error is a *HashBusyError, or the
// context's. work says whether it has computed the hash.
func (q *HashQueue) Do(ctx context.Context, job HashJob, work func() (computed bool)) error {
	w, err := q.enter(job)
	if err != nil {
		return err
	}
	if err := q.await(ctx, w, job.MaxWait); err != nil {
		return err
	}
	begun, computed := time.Now(), false
	defer func() { q.leave(w, computed, time.Since(begun)) }() // after a panic, too
	computed = work()
	return nil
}

// Stats returns what the queue has done and has to do.
func (q *HashQueue) Stats() HashStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	stats := q.stats
	for i := range q.classes {
		stats.Waiting += len(q.classes[i].waiting)
	}
	return stats
}

// enter puts a job into the queue, or refuses it.
func (q *HashQueue) enter(job HashJob) (*hashWaiter, error) {
	w := &hashWaiter{class: job.Class, ready: make(chan struct{})}
	w.threads, w.memory = hashNeeds(job.Hash)
	w.threads = min(w.threads, q.slots)
	for i, name := range []string{job.Account, job.Address} {
		if name != "" {
			w.keys[i] = maphash.String(q.seed, string(rune('a'+i))+name) | 1
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c := &q.classes[w.class]
	w.start = c.startOf(w)
	ahead := c.ahead(w)
	wait := q.estimate(w.class, ahead)
	if ahead > 0 && wait > job.MaxWait {
		return nil, &HashBusyError{After: atLeastASecond(wait - job.MaxWait)}
	}
	if len(c.waiting) >= hashWaiting && !c.evict(w.start, &HashBusyError{After: atLeastASecond(wait)}) {
		return nil, &HashBusyError{After: atLeastASecond(wait)}
	}
	c.push(w)
	q.dispatch()
	return w, nil
}

// estimate returns when a job gets its turn that has this many of its class ahead of it.
func (q *HashQueue) estimate(class HashClass, ahead int) time.Duration {
	jobs := ahead + q.running
	for i := range q.classes {
		if HashClass(i) != class {
			jobs += min(ahead+1, len(q.classes[i].waiting))
		}
	}
	cost := q.cost
	if cost == 0 {
		cost = hashCostGuess
	}
	return time.Duration(jobs) * cost / time.Duration(q.slots)
}

// await waits for the job's turn.
func (q *HashQueue) await(ctx context.Context, w *hashWaiter, longest time.Duration) error {
	timer := time.NewTimer(longest + longest/2)
	defer timer.Stop()
	var err error
	select {
	case <-w.ready:
		return w.refused
	case <-timer.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.place < 0 { // its turn came in this very moment
		return w.refused
	}
	if err == nil {
		err = &HashBusyError{After: atLeastASecond(q.estimate(w.class, q.classes[w.class].ahead(w)))}
	}
	heap.Remove(&q.classes[w.class].waiting, w.place)
	q.dispatch() // it may have been one that needs much, before others that do not
	return err
}

// leave ends a job's turn.
func (q *HashQueue) leave(w *hashWaiter, computed bool, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	q.threads -= w.threads
	q.memory -= w.memory
	if computed {
		q.stats.Computed++
		q.stats.Took += took
		if q.cost == 0 {
			q.cost = took
		}
		q.cost += (took - q.cost) / 8
	}
	q.dispatch()
	if q.running == 0 { // nobody waits either: the next one owes nothing
		for i := range q.classes {
			q.classes[i].through, q.classes[i].virtual = nil, 0
		}
	}
}

// dispatch begins the turns that there is room for. The caller holds mu.
func (q *HashQueue) dispatch() {
	for {
		c := q.next()
		if c == nil || !q.fits(c.waiting[0]) {
			return
		}
		w := c.pop()
		q.turn = w.class
		q.running++
		q.threads += w.threads
		q.memory += w.memory
		close(w.ready)
	}
}

// next returns the class whose turn it is, nil if nobody waits.
func (q *HashQueue) next() *hashClass {
	for i := range hashClasses {
		if c := &q.classes[(q.turn+1+i)%hashClasses]; len(c.waiting) > 0 {
			return c
		}
	}
	return nil
}

func (q *HashQueue) fits(w *hashWaiter) bool {
	return q.running == 0 || q.threads+w.threads <= q.slots && q.memory+w.memory <= hashMemory
}

// hashNeeds returns how many processors a hash uses at once, and its memory in bytes.
func hashNeeds(hash string) (threads int, memory int64) {
	var version, kib, passes int64
	if n, _ := fmt.Sscanf(hash, "$argon2id$v=%d$m=%d,t=%d,p=%d$", &version, &kib, &passes, &threads); n == 4 {
		return max(1, threads), kib << 10
	}
	return 1, 8 << 10
}

func atLeastASecond(d time.Duration) time.Duration { return max(time.Second, d) }
