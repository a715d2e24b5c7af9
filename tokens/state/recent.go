package state

import (
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	// endsAgain is for how long what was ended is not ended once more: a dead token may
	// be sent as often as anyone likes, and each time it would be written, and told to
	// every node.
	endsAgain = time.Second
	// endsHeld bounds what a node remembers of it: beyond that something is told once too often.
	endsHeld = 1 << 12
)

// recentEnds is what this node has ended, and told the others of, in the last second.
type recentEnds struct {
	mu    sync.Mutex
	ended map[endKey]time.Time
}

// endKey names something that was ended.
type endKey struct {
	user storage.UserTag
	kind storage.DenialKind
	id   [16]byte
}

// endKeyOf names what a request ends; false for what is ended again each time.
func endKeyOf(r storage.EndRequest) (endKey, bool) {
	k := endKey{user: r.User}
	if !r.Before.IsZero() {
		return k, false // an end without that limit reaches more
	}
	switch r.Scope {
	case storage.EndFamily:
		k.kind, k.id = storage.DenyFamily, r.Family
	case storage.EndSession:
		k.kind = storage.DenySession
		copy(k.id[:], r.Session[:])
	case storage.EndUser, storage.DisableUser, storage.EndConsent:
		return k, false
	}
	return k, true
}

// recently reports whether something was ended in the last second.
func (e *recentEnds) recently(k endKey, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, known := e.ended[k]
	return known && storage.Within(now.Sub(at), endsAgain)
}

// add notes that something was ended, and that the others were told.
func (e *recentEnds) add(k endKey, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended == nil || len(e.ended) >= endsHeld {
		e.ended = make(map[endKey]time.Time)
	}
	e.ended[k] = now
}

// forget drops everything: the store may have lost what it was told.
func (e *recentEnds) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = nil
}
