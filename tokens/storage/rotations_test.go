package storage

import (
	"testing"
	"time"
)

// RT-23: a family that was rotated a hundred thousand times is as large as a new
// one, and decides as fast.
func TestAttackRT23Rotations(t *testing.T) {
	f := liveFamily()
	at := f.Rotated
	r := RotateRequest{
		Client: f.Client, Grant: f.Grant, Rotation: true, Leeway: 10 * time.Second,
		Lifetime: 30 * 24 * time.Hour, IdleLifetime: 15 * 24 * time.Hour,
	}
	for i := range 100_000 {
		at = at.Add(time.Second)
		r.Presented, r.Attempt = f.Generation, Attempt{byte(i), byte(i >> 8), byte(i >> 16), 1}
		outcome, next := Decide(f, nil, r, at)
		if outcome != Rotated || next.Generation != f.Generation+1 {
			t.Fatalf("rotation %d: outcome %d, generation %d", i, outcome, next.Generation)
		}
		f = next
	}
	record, err := f.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if len(record) > 64 {
		t.Errorf("the record has %d bytes", len(record))
	}
	r.Presented, r.Attempt = f.Generation-2, Attempt{9}
	if outcome, _ := Decide(f, nil, r, at); outcome != RotateReused {
		t.Errorf("the grandparent: outcome %d", outcome)
	}
}
