package storetest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func rotateConcurrently(t *testing.T, f *fixture) {
	family := f.family()
	var rotated, replayed atomic.Int32
	Concurrently(100, func(int) {
		res, err := f.s.Rotate(f.ctx(), f.present(family, 1))
		switch {
		case err != nil:
			t.Errorf("Rotate: %v", err)
		case res.Family.Generation != 2:
			t.Errorf("generation %d, want 2", res.Family.Generation)
		case res.Outcome == storage.Rotated:
			rotated.Add(1)
		case res.Outcome == storage.RotateReplayed:
			replayed.Add(1)
		default:
			t.Errorf("outcome %d", res.Outcome)
		}
	})
	if rotated.Load() != 1 || replayed.Load() != 99 {
		t.Errorf("%d rotated and %d replayed, want 1 and 99", rotated.Load(), replayed.Load())
	}
	f.rotate(f.present(family, 2), storage.Rotated, 3)
}

func rotateConcurrentlyStrict(t *testing.T, f *fixture) {
	family := f.family()
	var outcomes [storage.RotateMismatch + 1]atomic.Int32
	Concurrently(100, func(int) {
		res, err := f.s.Rotate(f.ctx(), f.present(family, 1, strict))
		if err != nil {
			t.Errorf("Rotate: %v", err)
			return
		}
		outcomes[res.Outcome].Add(1)
	})
	rotated, reused, unknown := outcomes[storage.Rotated].Load(), outcomes[storage.RotateReused].Load(), outcomes[storage.RotateUnknown].Load()
	if rotated != 1 || reused != 1 || unknown != 98 {
		t.Errorf("%d rotated, %d reused, %d unknown; want 1, 1, 98", rotated, reused, unknown)
	}
	f.wantLive()
}

func rotateRacingEnd(t *testing.T, f *fixture) {
	for range 20 {
		family := f.family()
		scope := storage.EndRequest{Scope: storage.EndFamily, Family: family.ID, User: f.user, DenyFor: denyFor, Attempt: random8[storage.Attempt]()}
		Concurrently(8, func(i int) {
			var err error
			if i == 4 {
				_, err = f.s.End(f.ctx(), scope)
			} else {
				_, err = f.s.Rotate(f.ctx(), f.present(family, 1))
			}
			if err != nil {
				t.Errorf("store: %v", err)
			}
		})
		f.wantLive()
		for generation := uint32(1); generation < 4; generation++ {
			f.rotate(f.present(family, generation), storage.RotateUnknown, 0)
		}
		f.wantDenied(family.ID, time.Time{})
	}
}
