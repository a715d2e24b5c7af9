package handler

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
)

// ticketLifetime is how long a person may look at a form.
const ticketLifetime = 15 * time.Minute

// repeatWindow is how long after the answer to a form another click on it gets
// that answer once more. It is short: the application has redeemed the code of
// the first soon, and would take the second for stolen.
const repeatWindow = 3 * time.Second

// usedTickets remembers tickets that work once, until they have expired, in
// bounded memory: two maps, of which the older is dropped in turn.
type usedTickets[T any] struct {
	mu           sync.Mutex
	recent, past map[[16]byte]*usedTicket[T]
	since        time.Time // when recent was begun
}

// usedTicket is a ticket that was used, and its answer.
type usedTicket[T any] struct {
	done   chan struct{} // closed when it is answered
	failed bool
	at     time.Time // when it was answered
	answer T
}

// formAnswer is what answers a form whose ticket works once.
type formAnswer struct {
	fields  []pages.Field // of an authorization response
	message pages.Message // or else a page
	status  int
}

// maxUsedTickets bounds each of the maps. Only people who are signed in use
// such tickets.
const maxUsedTickets = 1 << 14

// errTicketUsed is a form that was answered a while ago.
var errTicketUsed = errors.New("using ticket: its form was answered before")

func newUsedTickets[T any]() *usedTickets[T] {
	return &usedTickets[T]{recent: make(map[[16]byte]*usedTicket[T]), past: make(map[[16]byte]*usedTicket[T])}
}

// once answers the form of a ticket by decide, which is called once. The same form
// that comes meanwhile or within the repeatWindow gets the same answer, later ones
// errTicketUsed. After an error of decide the ticket is as good as new.
func (u *usedTickets[T]) once(ctx context.Context, id [16]byte, clock func() time.Time, decide func() (T, error)) (answer T, err error) {
	for {
		t, first := u.take(id, clock())
		if first {
			return u.decide(id, t, clock, decide)
		}
		select {
		case <-t.done:
		case <-ctx.Done():
			return answer, ctx.Err()
		}
		switch {
		case t.failed:
			continue
		case clock().Sub(t.at) > repeatWindow:
			return answer, errTicketUsed
		}
		return t.answer, nil
	}
}

// decide lets the first that came decide.
func (u *usedTickets[T]) decide(id [16]byte, t *usedTicket[T], clock func() time.Time, decide func() (T, error)) (answer T, err error) {
	t.failed = true // also of a panic
	defer func() {
		if t.failed {
			u.forget(id)
		}
		close(t.done)
	}()
	answer, err = decide()
	if err != nil {
		return answer, err
	}
	t.failed, t.answer, t.at = false, answer, clock()
	return answer, nil
}

// take returns what is known of a ticket, and whether it is used for the first time.
func (u *usedTickets[T]) take(id [16]byte, now time.Time) (t *usedTicket[T], first bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.recent) >= maxUsedTickets || now.Sub(u.since) > ticketLifetime {
		u.past, u.recent, u.since = u.recent, make(map[[16]byte]*usedTicket[T]), now
	}
	for _, m := range []map[[16]byte]*usedTicket[T]{u.recent, u.past} {
		if t, used := m[id]; used {
			return t, false
		}
	}
	t = &usedTicket[T]{done: make(chan struct{})}
	u.recent[id] = t
	return t, true
}

// forget makes a ticket as good as new.
func (u *usedTickets[T]) forget(id [16]byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.recent, id)
	delete(u.past, id)
}
