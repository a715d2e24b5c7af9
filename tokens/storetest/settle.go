package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// settled asks as the cookie endpoint does, where all tabs share one token.
func settled(r *tokens.RotateRequest) { r.Settle = r.Leeway }

func rotateYoung(t *testing.T, f *fixture) {
	const young = 2 * time.Second
	shared := func(r *tokens.RotateRequest) { r.Settle = young }
	family := f.family()
	first := f.rotate(f.present(family, 1, shared), tokens.RotateYoung, 1)
	if !first.Family.Rotated.Equal(family.Rotated) || !first.Family.IdleExpires.Equal(family.IdleExpires) {
		t.Error("an answer without rotation moved the family's times")
	}
	if !bytes.Equal(first.Profile, profile) || first.IssueAt.IsZero() {
		t.Error("an answer without rotation lacks the profile or the time")
	}
	f.pass(young)
	f.rotate(f.present(family, 1, shared), tokens.Rotated, 2)
	f.rotate(f.present(family, 1, shared), tokens.RotateReplayed, 2) // a tab that sent the old cookie
	f.rotate(f.present(family, 2, shared), tokens.RotateYoung, 2)
	f.rotate(f.present(family, 2), tokens.Rotated, 3) // who does not share rotates at once
	f.rotate(f.present(family, 1, shared), tokens.RotateReused, 0)
	f.rotate(f.present(family, 3, shared), tokens.RotateUnknown, 0)
	watermark := f.family()
	f.rotate(f.present(watermark, 1, shared, func(r *tokens.RotateRequest) { r.BegunAfter = watermark.Created }), tokens.RotateUnknown, 0)
	f.rotate(f.present(f.family(), 1, shared, func(r *tokens.RotateRequest) { r.Fingerprint = tokens.Fingerprint{9} }), tokens.RotateUserChanged, 0)
	// Without rotation there is nothing to wait for: each use counts.
	f.rotate(f.present(f.family(), 1, shared, noRotation), tokens.RotateKept, 1)
}

func rotateYoungConcurrently(t *testing.T, f *fixture) {
	family := f.family()
	f.pass(time.Second)
	short := func(r *tokens.RotateRequest) { r.Settle = time.Second }
	outcomes := make([]tokens.RotateOutcome, 100)
	concurrently(len(outcomes), func(i int) {
		res, err := f.s.Rotate(f.ctx(), f.present(family, 1, settled, short))
		if err != nil || res.Family.Generation != 2 {
			t.Errorf("outcome %d, generation %d, %v", res.Outcome, res.Family.Generation, err)
		}
		outcomes[i] = res.Outcome
	})
	rotated := 0
	for _, outcome := range outcomes {
		if outcome == tokens.Rotated {
			rotated++
		}
	}
	if rotated != 1 {
		t.Errorf("%d rotations, want 1", rotated)
	}
	f.rotate(f.present(family, 2, settled), tokens.RotateYoung, 2)
}
