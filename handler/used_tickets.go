package handler

import (
	"sync"
	"time"
)

// ticketLifetime is how long a person may look at a form.
const ticketLifetime = 15 * time.Minute

// usedTickets remembers tickets that work once, until they have expired, in
// bounded memory: two maps, of which the older is dropped in turn.
type usedTickets struct {
	mu           sync.Mutex
	recent, past map[[16]byte]struct{}
	since        time.Time // when recent was begun
}

// maxUsedTickets bounds each of the maps. Only people who are signed in use
// such tickets.
const maxUsedTickets = 1 << 16

func newUsedTickets() *usedTickets {
	return &usedTickets{recent: make(map[[16]byte]struct{}), past: make(map[[16]byte]struct{})}
}

// take reports whether the ticket is used for the first time.
func (u *usedTickets) take(id [16]byte, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.recent) >= maxUsedTickets || now.Sub(u.since) > ticketLifetime {
		u.past, u.recent, u.since = u.recent, make(map[[16]byte]struct{}), now
	}
	_, used := u.recent[id]
	if _, before := u.past[id]; used || before {
		return false
	}
	u.recent[id] = struct{}{}
	return true
}
