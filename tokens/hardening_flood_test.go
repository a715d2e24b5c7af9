package tokens

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// DOS-09: tokens that are refused are remembered nowhere, however many different
// ones come: a flood of them costs their signatures, and pushes no good token
// out of the cache.
func TestAttackDOS09Flood(t *testing.T) {
	b := newTokenBench(t)
	good := b.mint(nil, nil)
	if _, err := b.verifier.Verify(good); err != nil {
		t.Fatal(err)
	}
	b.cache.entries.Wait()
	kept := b.cache.entries.Metrics
	head, _, _ := strings.Cut(good, ".")
	const flood = 2000
	for i := range flood {
		payload := seg(b.json(b.claims(map[string]any{"jti": fmt.Sprint(i)})))
		bad := head + "." + payload + good[strings.LastIndexByte(good, '.'):]
		if _, err := b.verifier.Verify(bad); reasonOf(t, err) != ReasonBadSignature {
			t.Fatalf("a made-up token: %v", err)
		}
		if b.cache.Get(bad) != nil {
			t.Fatal("a refused token is in the cache")
		}
	}
	b.cache.entries.Wait()
	if b.cache.Get(good) == nil {
		t.Error("the flood has pushed the good token out")
	}
	if kept != nil && kept.KeysAdded() > 1 {
		t.Errorf("%d entries were made", kept.KeysAdded())
	}
}

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
		outcome, next := Decide(f, r, at)
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
	if outcome, _ := Decide(f, r, at); outcome != RotateReused {
		t.Errorf("the grandparent: outcome %d", outcome)
	}
}
