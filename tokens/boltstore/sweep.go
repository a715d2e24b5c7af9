package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	// sweepRead is how many records one reading transaction looks at: a long
	// one would keep old pages from being used again.
	sweepRead = 4096
	// sweepRemove is how many records one decision removes: others wait for it.
	sweepRemove = 256
	// sweepRest is how many times longer the sweeper rests than it works.
	sweepRest = 100
)

// sweeper removes expired records in the background. It walks through the
// buckets in the order of their keys: an index by time would have to be
// written with every rotation, which moves the idle end. Nothing relies on
// it: every decision looks at the ends itself.
type sweeper struct {
	store  *Store
	file   *file
	cancel context.CancelFunc
	done   chan struct{}
}

func newSweeper(s *Store, f *file) *sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	w := &sweeper{store: s, file: f, cancel: cancel, done: make(chan struct{})}
	go background.Safely(s.recovered, func() {
		defer close(w.done)
		background.Keep(ctx, s.recovered, w.loop)
	})()
	return w
}

func (w *sweeper) stop() {
	w.cancel()
	<-w.done
}

// recovered reports a panic that was caught in the background.
func (s *Store) recovered(err error) { s.onCall(context.Background(), "background", 0, err) }

// loop sweeps, every three seconds at most, and for at most one percent of the
// time. It is also what reads all records now and then, so that damage is found
// before somebody needs what is damaged.
func (w *sweeper) loop(ctx context.Context) {
	rest := time.NewTimer(w.store.sweepEvery)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
		}
		start, known := time.Now(), w.file.damage.err.Load()
		err := w.file.tell(w.store.path, protect(func() error { return w.sweep(ctx) }))
		took := time.Since(start)
		if err == nil {
			w.file.damage.err.CompareAndSwap(known, nil) // all of it was read
		}
		if ctx.Err() == nil {
			_ = protect(func() error { w.store.onCall(ctx, "sweep", took, err); return nil })
		}
		rest.Reset(max(w.store.sweepEvery, sweepRest*took))
	}
}

// sweep looks at every record. What it can't read it leaves
// where it is and tells at the end.
func (w *sweeper) sweep(ctx context.Context) error {
	watermarks, err := viewIn(w.store, w.file, readWatermarks)
	if err != nil {
		return fmt.Errorf("sweeping: %w", err)
	}
	unreadable, why, now := 0, error(nil), w.store.clock.settled()
	for bucket := range bucketCount {
		var from []byte
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			part, err := viewIn(w.store, w.file, func(t *txn) (swept, error) {
				return findExpired(t, bucket, from, now, watermarks), nil
			})
			if err == nil && len(part.expired) > 0 {
				err = w.remove(ctx, bucket, part.expired, now, watermarks)
			}
			if err != nil {
				return fmt.Errorf("sweeping %s: %w", bucketNames[bucket], err)
			}
			if unreadable += part.unreadable; why == nil || errors.Is(part.why, errDamaged) {
				why = cmp.Or(part.why, why)
			}
			from, more = part.next, part.next != nil
		}
	}
	if unreadable > 0 {
		return fmt.Errorf("sweeping: %d records can't be read: %w", unreadable, why)
	}
	return nil
}

// swept is what one reading transaction has found.
type swept struct {
	expired    [][]byte
	unreadable int
	why        error  // the last of them could not be read
	next       []byte // where to go on, nil at the end
}

func findExpired(t *txn, bucket bucketID, from []byte, now time.Time, watermarks clientMarks) swept {
	var s swept
	seen := 0
	c := t.bucket(bucket).Cursor()
	for k, v := c.Seek(from); k != nil; k, v = c.Next() {
		if seen == sweepRead || len(s.expired) == sweepRemove {
			s.next = bytes.Clone(k)
			break
		}
		seen++
		v, err := unseal(bucket, k, v)
		over := false
		if err == nil {
			over, err = t.expired(bucket, k, v, now, watermarks)
		}
		if err != nil {
			s.unreadable++
			s.why = err
		} else if over {
			s.expired = append(s.expired, bytes.Clone(k))
		}
	}
	return s
}

// remove removes records that have not been written again in the meantime.
func (w *sweeper) remove(ctx context.Context, bucket bucketID, keys [][]byte, now time.Time, watermarks clientMarks) error {
	_, err := commitIn(ctx, w.file, func(t *txn) (struct{}, error) {
		var gone []storage.DocumentID
		for _, k := range keys {
			v, err := t.get(bucket, k)
			if v == nil || err != nil {
				continue
			}
			if over, err := t.expired(bucket, k, v, now, watermarks); err != nil || !over {
				continue
			}
			t.remove(bucket, k)
			if bucket == profiles { // and what it says there is
				t.remove(people, k)
			}
			if bucket == documents {
				gone = append(gone, storage.DocumentID(k))
			}
		}
		return struct{}{}, t.forgetDocuments(gone)
	})
	return err
}

// expired reports whether a record can never count again. A profile is kept for a while
// when its user has nothing else: access tokens live on, and userinfo answers to them.
func (t *txn) expired(bucket bucketID, k, v []byte, now time.Time, watermarks clientMarks) (bool, error) {
	if bucket != profiles {
		return expired(bucket, k, v, now, watermarks)
	}
	var r profileRecord
	err := r.decode(v)
	if err != nil || now.Sub(r.written) < keepProfile {
		return false, err
	}
	user := storage.UserTag(k)
	return t.countUp(families, user, 1)+t.countUp(sessions, user, 1) == 0, nil
}

// expired reports whether a record can never count again, by itself.
func expired(bucket bucketID, k, v []byte, now time.Time, watermarks clientMarks) (bool, error) {
	switch bucket {
	case families:
		var f storage.Family
		err := f.UnmarshalBinary(v)
		return f.Dead(now) || !f.Created.After(later(later(watermarks[f.Client].Before, watermarks[f.Client.Kind()].Before), watermarks[storage.Everyone].Before)), err
	case people:
		var r personRecord
		return false, r.decode(v)
	case sessions:
		var r sessionRecord
		err := r.decode(v)
		return r.over(now, 0), err
	case codes:
		var r codeRecord
		err := r.decode(v)
		return !now.Before(r.expires), err
	case upstreams:
		var r upstreamRecord
		err := r.decode(v)
		return r.over(now), err
	case consents:
		var c storage.Consent
		err := c.UnmarshalBinary(v)
		return c.Over(now), err
	case indexes:
		var r indexRecord
		err := r.decode(v)
		return len(r.Live(now)) == 0, err
	case notes:
		var r noteRecord
		err := r.decode(v)
		return !r.till.IsZero() && !now.Before(r.till), err
	case logouts:
		var r logoutRecord
		err := r.decode(v)
		return r.over(now), err
	case denials:
		return expiredDenial(k[len(storage.UserTag{})], v, now)
	default:
		return expiredCommon(bucket, v, now)
	}
}

// expiredCommon is expired for what is no user's own, and the bodies of codes.
func expiredCommon(bucket bucketID, v []byte, now time.Time) (bool, error) {
	switch bucket {
	case codeBodies:
		var r bodyRecord
		err := r.decode(v)
		return !now.Before(r.expires), err
	case grants:
		var r grantRecord
		err := r.decode(v)
		return r.over(now), err
	case clients:
		var r clientRecord
		err := r.decode(v)
		return r.over(now), err
	case assertions:
		var r assertionRecord
		err := r.decode(v)
		return !now.Before(r.until), err
	case devices:
		var r deviceRecord
		err := r.decode(v)
		return !now.Before(r.expires), err
	case histories:
		var r historyRecord
		err := r.decode(v)
		return !now.Before(r.until), err
	case requests:
		var r requestRecord
		err := r.decode(v)
		return !now.Before(r.until), err
	case documents:
		var r documentRecord
		err := r.decode(v)
		return !now.Before(r.until), err
	default:
		return false, nil
	}
}

func expiredDenial(kind byte, v []byte, now time.Time) (bool, error) {
	if kind == kindMarks {
		var r marksRecord
		_, err := r.decodeTimes(v)
		return r.gone(now), err
	}
	var r denialRecord
	err := r.decode(v)
	if kind == byte(storage.DenyUser) {
		now = now.Add(-storage.FoldAfter) // it tells who has enabled the user
	}
	return !now.Before(r.until), err
}
