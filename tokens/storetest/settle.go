package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// settled asks as the cookie endpoint does, where all tabs share one token.
func settled(r *storage.RotateRequest) { r.Settle = r.Leeway }

func rotateYoung(t *testing.T, f *fixture) {
	const young = 2 * time.Second
	shared := func(r *storage.RotateRequest) { r.Settle = young }
	family := f.family()
	first := f.rotate(f.present(family, 1, shared), storage.RotateYoung, 1)
	if !first.Family.Rotated.Equal(family.Rotated) || !first.Family.IdleExpires.Equal(family.IdleExpires) {
		t.Error("an answer without rotation moved the family's times")
	}
	if !sameProfile(first.Profile, profile) || first.IssueAt.IsZero() {
		t.Error("an answer without rotation lacks the profile or the time")
	}
	f.pass(young)
	f.rotate(f.present(family, 1, shared), storage.Rotated, 2)
	f.rotate(f.present(family, 1, shared), storage.RotateReplayed, 2) // a tab that sent the old cookie
	f.rotate(f.present(family, 2, shared), storage.RotateYoung, 2)
	f.rotate(f.present(family, 2), storage.Rotated, 3) // who does not share rotates at once
	f.rotate(f.present(family, 1, shared), storage.RotateReused, 0)
	f.rotate(f.present(family, 3, shared), storage.RotateUnknown, 0)
	watermark := f.family()
	f.rotate(f.present(watermark, 1, shared, func(r *storage.RotateRequest) { r.BegunAfter = watermark.Created }), storage.RotateUnknown, 0)
	f.rotate(f.present(f.family(), 1, shared, with(storage.Fingerprint{9})), storage.RotateUserChanged, 0)
	// Without rotation there is nothing to wait for: each use counts.
	f.rotate(f.present(f.family(), 1, shared, noRotation), storage.RotateKept, 1)
}

func rotateYoungConcurrently(t *testing.T, f *fixture) {
	family := f.family()
	f.pass(time.Second)
	short := func(r *storage.RotateRequest) { r.Settle = time.Second }
	outcomes := make([]storage.RotateOutcome, 100)
	Concurrently(len(outcomes), func(i int) {
		res, err := f.s.Rotate(f.ctx(), f.present(family, 1, settled, short))
		if err != nil || res.Family.Generation != 2 {
			t.Errorf("outcome %d, generation %d, %v", res.Outcome, res.Family.Generation, err)
		}
		outcomes[i] = res.Outcome
	})
	rotated := 0
	for _, outcome := range outcomes {
		if outcome == storage.Rotated {
			rotated++
		}
	}
	if rotated != 1 {
		t.Errorf("%d rotations, want 1", rotated)
	}
	f.rotate(f.present(family, 2, settled), storage.RotateYoung, 2)
}
