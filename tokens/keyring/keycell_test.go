package keyring

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

const (
	ringRotate  = 24 * time.Hour
	ringKeep    = 30 * time.Minute
	ringPublish = time.Hour
)

func newRing(cell *tokenstest.KeyCell, secrets *secrets.Secrets, observer oauth.Observer, algs ...jose.Algorithm) *Ring {
	r := New(cell, observer, cell.Clock)
	r.Configure(Settings{Secrets: secrets, Algorithms: algs, RotateEvery: ringRotate, KeepFor: ringKeep, PublishBefore: ringPublish})
	return r
}

func mustLoad(t testing.TB, rings ...*Ring) {
	t.Helper()
	for _, r := range rings {
		if err := r.Load(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func signerID(t testing.TB, r *Ring, alg jose.Algorithm) string {
	t.Helper()
	k, err := r.Signers().Signer(alg)
	if err != nil {
		t.Fatal(err)
	}
	return k.ID()
}

func jwksIDs(t testing.TB, r *Ring) []string {
	t.Helper()
	set, err := jose.ParseKeySet(r.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, k := range set.Keys() {
		ids = append(ids, k.ID())
	}
	slices.Sort(ids)
	return ids
}
