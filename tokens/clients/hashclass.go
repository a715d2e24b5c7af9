package clients

import (
	"container/heap"
	"maps"
)

// hashWaiter is a job on its way through a HashQueue.
type hashWaiter struct {
	class   HashClass
	keys    [2]uint64 // of its account and its address; 0 for none
	threads int
	memory  int64

	start   float64 // the virtual time of its turn
	number  uint64  // in the order of coming
	place   int     // in the heap; -1 when it has left
	ready   chan struct{}
	refused error // once ready: it had to make room
}

// hashClass is the queue of one class: start-time fair queueing (Goyal, Vin and
// Cheng, 1996) by two keys. A job's turn comes at the virtual time at which the
// job before it of the same account, and that of the same address, are through:
// so each account and each address gets one turn in a round, however many jobs
// it sends, and a newcomer's first job is ahead of everybody's second.
type hashClass struct {
	waiting hashHeap
	virtual float64            // the time up to which turns were given
	through map[uint64]float64 // when the latest job of a key will be through
	number  uint64
}

// maxHashKeys bounds what a class remembers of accounts and addresses. Beyond it
// all is forgotten, which costs nothing but a round of fairness.
const maxHashKeys = 16 * hashWaiting

// startOf returns when the turn of a job comes that enters now.
func (c *hashClass) startOf(w *hashWaiter) float64 {
	start := c.virtual
	for _, key := range w.keys {
		if key != 0 {
			start = max(start, c.through[key])
		}
	}
	return start
}

// ahead counts the jobs whose turn is before w's.
func (c *hashClass) ahead(w *hashWaiter) int {
	n := 0
	for _, other := range c.waiting {
		if other.start <= w.start && other != w {
			n++
		}
	}
	return n
}

func (c *hashClass) push(w *hashWaiter) {
	if len(c.through) >= maxHashKeys {
		maps.DeleteFunc(c.through, func(_ uint64, through float64) bool { return through <= c.virtual })
	}
	if c.through == nil || len(c.through) >= maxHashKeys {
		c.through = make(map[uint64]float64)
	}
	for _, key := range w.keys {
		if key != 0 {
			c.through[key] = w.start + 1
		}
	}
	c.number++
	w.number = c.number
	heap.Push(&c.waiting, w)
}

// pop takes the job whose turn it is. Virtual time goes on by one for a round
// of those who wait.
func (c *hashClass) pop() *hashWaiter {
	round := float64(len(c.waiting))
	w := heap.Pop(&c.waiting).(*hashWaiter) //nolint:forcetypeassert // the heap holds nothing else
	c.virtual = max(c.virtual+1/round, w.start)
	return w
}

// evict makes room for a job by sending away one whose turn would be later.
func (c *hashClass) evict(start float64, why error) bool {
	last := c.waiting[0]
	for _, w := range c.waiting {
		if w.start >= last.start {
			last = w
		}
	}
	if last.start <= start {
		return false
	}
	heap.Remove(&c.waiting, last.place)
	last.refused = why
	close(last.ready)
	return true
}

// hashHeap has the next job first. See container/heap.
type hashHeap []*hashWaiter

func (h hashHeap) Len() int { return len(h) }

func (h hashHeap) Less(i, j int) bool {
	if h[i].start == h[j].start {
		return h[i].number < h[j].number
	}
	return h[i].start < h[j].start
}

func (h hashHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *hashHeap) Push(x any) {
	w := x.(*hashWaiter) //nolint:forcetypeassert // only push calls it
	w.place = len(*h)
	*h = append(*h, w)
}

func (h *hashHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	w.place = -1
	return w
}
