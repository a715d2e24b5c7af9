package tokens

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

const (
	ringRotate  = 24 * time.Hour
	ringKeep    = 30 * time.Minute
	ringPublish = time.Hour
)

func newRing(cell *tokenstest.KeyCell, secrets *Secrets, observer Observer, algs ...jose.Algorithm) *KeyRing {
	r := NewKeyRing(cell, observer, cell.Clock)
	r.Configure(KeySettings{Secrets: secrets, Algorithms: algs, RotateEvery: ringRotate, KeepFor: ringKeep, PublishBefore: ringPublish})
	return r
}

func mustLoad(t testing.TB, rings ...*KeyRing) {
	t.Helper()
	for _, r := range rings {
		if err := r.Load(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func signerID(t testing.TB, r *KeyRing, alg jose.Algorithm) string {
	t.Helper()
	k, err := r.Signer(alg)
	if err != nil {
		t.Fatal(err)
	}
	return k.ID()
}

func jwksIDs(t testing.TB, r *KeyRing) []string {
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

// eventLog is an Observer that remembers.
type eventLog struct {
	NopObserver

	mu     sync.Mutex
	events []Event
}

func (l *eventLog) Happened(_ context.Context, e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *eventLog) count(kind EventKind) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range l.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func secretsOf(t testing.TB, names ...string) *Secrets {
	t.Helper()
	values := make([][]byte, len(names))
	for i, n := range names {
		values[i] = []byte(strings.Repeat(n, SecretSize))
	}
	s, err := NewSecrets(values...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
