package history

import (
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// What a client can bring about again and again with one token is noted a few
// times only: else anyone with a dead token could fill the store with it, and
// push the reason of its end out of the history.
const (
	historyRepeats     = 3              // notes that say the same of one family
	historyRepeatsFor  = 24 * time.Hour // in which they are counted
	historyRepeatsHeld = 1 << 15        // counts that are held
)

// repeatedNotes counts them on this node. It is bounded: then there are some too many.
type repeatedNotes struct {
	mu     sync.Mutex
	counts map[repeatedNote]repeated
}

// repeatedNote is what notes say that are alike.
type repeatedNote struct {
	family storage.FamilyID
	kind   Kind
	by     string
}

type repeated struct {
	since time.Time
	notes int
}

// repeatable reports whether a note of this kind can come without end.
func (k Kind) repeatable() bool { return k == Replayed || k == Refused }

// take reports whether there is room for one more.
func (r *repeatedNotes) take(family storage.FamilyID, e Entry) bool {
	alike := repeatedNote{family, e.Kind, e.By}
	r.mu.Lock()
	defer r.mu.Unlock()
	c, known := r.counts[alike]
	if !known || e.Time.Sub(c.since) >= historyRepeatsFor {
		c = repeated{since: e.Time}
	}
	if c.notes >= historyRepeats {
		return false
	}
	if r.counts == nil || len(r.counts) >= historyRepeatsHeld {
		r.counts = make(map[repeatedNote]repeated)
	}
	c.notes++
	r.counts[alike] = c
	return true
}
