package denylist

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// mark returns the time at or before which everything of a client is ended:
// its own watermark, that of its kind, everyone's, or the store's birth, whichever is latest.
func (d *Denylist) mark(held *clientWatermarks, client storage.ClientTag) time.Time {
	return storage.Later(
		storage.Later(held.marks[client].Before, held.marks[client.Kind()].Before),
		storage.Later(held.marks[storage.Everyone].Before, time.Unix(d.floor.Load()-1, 0)),
	)
}

// RefuseBefore refuses all that was issued before the second of the store's
// birth. What was issued in that very second by an older store is signed by a
// key that the new one does not have.
func (d *Denylist) RefuseBefore(birth time.Time) { d.floor.Store(birth.Unix()) }

// Marks are the watermarks that decisions about a client's grants go by.
type Marks struct {
	Client   time.Time // as ClientWatermark
	Everyone time.Time // nothing comes of a login at or before it
	Blocked  bool      // the client, or its kind, is blocked
}

// MarksOf returns the marks of a client, at most MaxLag old: the end of a client in a
// store that can't look at them itself relies on that (storage.ClientEnd.Late). So
// they are read before anything is spent, and if they are older it fails, even where
// guarded routes may go on without the store.
func (d *Denylist) MarksOf(ctx context.Context, client storage.ClientTag) (Marks, error) {
	held, err := d.recentMarks(ctx, d.clock(), d.limits.Load())
	if err != nil {
		return Marks{}, err
	}
	return d.marksIn(held, client), nil
}

// MarksSince returns what has been heard since MarksOf succeeded, for a
// decision that follows from one before: it never fails.
func (d *Denylist) MarksSince(client storage.ClientTag) Marks {
	held := d.clients.Load()
	return d.marksIn(held, client)
}

func (d *Denylist) marksIn(held *clientWatermarks, client storage.ClientTag) Marks {
	return Marks{
		Client: d.mark(held, client), Everyone: held.marks[storage.Everyone].Before,
		Blocked: held.marks[client].Blocked || client.Unregistered() && held.marks[client.Kind()].Blocked,
	}
}

// ClientWatermark returns the time at or before which everything of a client
// is ended; zero for never.
func (d *Denylist) ClientWatermark(ctx context.Context, client storage.ClientTag) (time.Time, error) {
	m, err := d.MarksOf(ctx, client)
	return m.Client, err
}

// WasEnded reports whether a client has been ended by itself, ever.
func (d *Denylist) WasEnded(ctx context.Context, client storage.ClientTag) (bool, error) {
	held, err := d.recentMarks(ctx, d.clock(), d.limits.Load())
	if err != nil {
		return false, err
	}
	_, ended := held.marks[client]
	return ended, nil
}

// watermarkOrStale is ClientWatermark for guarded routes, which may go on
// without the store.
func (d *Denylist) watermarkOrStale(ctx context.Context, client storage.ClientTag, now time.Time, limits *denylistLimits) (time.Time, error) {
	held := d.clients.Load()
	if age := held.age(now); held.marks != nil && age > limits.maxLag && age <= limits.allowStale {
		d.load()
		return d.mark(held, client), nil
	}
	held, err := d.recentMarks(ctx, now, limits)
	if err != nil {
		return time.Time{}, err
	}
	return d.mark(held, client), nil
}

// recentMarks returns the watermarks, at most MaxLag old. The background loads
// them four times in that time: if they are older, the store is in trouble, or
// nothing was asked yet.
func (d *Denylist) recentMarks(ctx context.Context, now time.Time, limits *denylistLimits) (*clientWatermarks, error) {
	if held := d.clients.Load(); held.age(now) <= limits.maxLag {
		return held, nil
	}
	if err := d.loadClients(ctx); err != nil {
		return nil, oauth.Unavailable(err)
	}
	return d.clients.Load(), nil
}

// age is how old the watermarks are. A machine that was suspended, or a clock
// that was set, must not make them look younger: of two clocks the later counts.
func (w *clientWatermarks) age(now time.Time) time.Duration {
	return max(now.Sub(w.asked), now.Round(0).Sub(w.asked.Round(0)))
}

// MarksBelieved is for how long after the end of a client somebody may still
// decide without knowing it: by watermarks of MaxLag, in as many calls as one
// look at them serves.
func (d *Denylist) MarksBelieved(late time.Duration) time.Duration {
	return d.limits.Load().maxLag + callsByOneLook*late
}

// callsByOneLook is how many store calls one look at the watermarks serves at
// most: to exchange a code is to take it, to keep its grant, and to begin the family.
const callsByOneLook = 3
