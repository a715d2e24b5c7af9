package keyring

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

func TestKeyRingDrop(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, r *Ring) (drop string)
		keys    int // that are left
		signs   string
	}{
		{"the one that signs", func(t *testing.T, r *Ring) string { return signerID(t, r, jose.EdDSA) }, 1, "new"},
		{"the one that signs, when the next is published", func(t *testing.T, r *Ring) string {
			first := signerID(t, r, jose.EdDSA)
			must0(t, r.Rotate(t.Context(), false))
			return first
		}, 1, "next"},
		{"the one that signs, and not back to one that was replaced", func(t *testing.T, r *Ring) string {
			must0(t, r.Rotate(t.Context(), true))
			return signerID(t, r, jose.EdDSA)
		}, 2, "new"},
		{"one that was replaced", func(t *testing.T, r *Ring) string {
			first := signerID(t, r, jose.EdDSA)
			must0(t, r.Rotate(t.Context(), true))
			return first
		}, 1, "same"},
		{"one that is next", func(t *testing.T, r *Ring) string {
			must0(t, r.Rotate(t.Context(), false))
			return r.Keys()[1].ID
		}, 1, "same"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRing(&tokenstest.KeyCell{Clock: time.Now}, tokenstest.Secrets(t, "a"), nil, jose.EdDSA)
			mustLoad(t, r)
			kid := tt.prepare(t, r)
			signer := signerID(t, r, jose.EdDSA)
			known, epoch := keyIDs(r), r.Epoch()
			must0(t, r.Drop(t.Context(), kid))
			if r.Verifier(kid) != nil || slices.Contains(jwksIDs(t, r), kid) || r.Epoch() == epoch {
				t.Error("the dropped key is still known")
			}
			now := signerID(t, r, jose.EdDSA)
			got := "next"
			switch {
			case now == signer:
				got = "same"
			case !slices.Contains(known, now):
				got = "new"
			}
			if got != tt.signs || len(r.Keys()) != tt.keys {
				t.Errorf("the %s key signs, of %d; want the %s one of %d", got, len(r.Keys()), tt.signs, tt.keys)
			}
			if err := r.Drop(t.Context(), kid); !errors.Is(err, ErrNoKey) {
				t.Errorf("dropping it again: %v", err)
			}
		})
	}
}

// TestKeyRingHearsOfADrop: another node finds out by itself within LookEvery.
func TestKeyRingHearsOfADrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cell := &tokenstest.KeyCell{Clock: time.Now}
		a, b := newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.EdDSA), newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.EdDSA)
		const look = 5 * time.Second
		set := *b.settings.Load()
		set.LookEvery = look
		b.Configure(set)
		mustLoad(t, a, b)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go b.Run(ctx)
		time.Sleep(time.Minute)
		kid := signerID(t, a, jose.EdDSA)
		must0(t, a.Drop(t.Context(), kid))
		time.Sleep(look + time.Millisecond)
		synctest.Wait()
		if b.current.Load().verifiers[kid] != nil {
			t.Error("the other node still knows the dropped key")
		}
		if signerID(t, a, jose.EdDSA) != signerID(t, b, jose.EdDSA) {
			t.Error("the nodes sign with two keys")
		}
	})
}

func keyIDs(r *Ring) []string {
	var ids []string
	for _, k := range r.Keys() {
		ids = append(ids, k.ID)
	}
	return ids
}

func must0(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
