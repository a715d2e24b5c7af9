package keyring

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

// M-01, M-16, C8: what client_ids are made with stays the same on all nodes, however often
// `secret` and the signing keys are replaced, and in a store that was restored.
func TestM01M16C8LastingSecret(t *testing.T) {
	cell := &tokenstest.KeyCell{Clock: time.Now}
	first := newRing(cell, tokenstest.Secrets(t, "a"), oauth.NopObserver{}, jose.ES256)
	second := newRing(cell, tokenstest.Secrets(t, "a"), oauth.NopObserver{}, jose.ES256)
	if first.Lasting() != nil {
		t.Error("there is a secret before the store was asked")
	}
	mustLoad(t, first, second)
	want := bytes.Clone(first.Lasting())
	if len(want) < 32 || !bytes.Equal(second.Lasting(), want) {
		t.Fatalf("%d bytes, the same on both nodes: %t", len(want), bytes.Equal(second.Lasting(), want))
	}
	for _, names := range [][]string{{"a", "b"}, {"b", "a"}, {"b"}, {"b", "c"}, {"c", "b"}, {"c"}, {"c", "d"}, {"d", "c"}, {"d"}} {
		r := newRing(cell, tokenstest.Secrets(t, names...), oauth.NopObserver{}, jose.ES256)
		mustLoad(t, r)
		for _, do := range []func() error{
			func() error { return r.Tick(context.Background()) },
			func() error { return r.Rotate(context.Background(), true) },
			func() error { return r.Drop(context.Background(), r.Keys()[0].ID) },
		} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(r.Lasting(), want) {
			t.Fatalf("under %v it is another one", names)
		}
	}
	restored := &tokenstest.KeyCell{Clock: time.Now}
	restored.Value, restored.Version = bytes.Clone(cell.Value), cell.Version
	r := newRing(restored, tokenstest.Secrets(t, "d"), oauth.NopObserver{}, jose.ES256)
	if mustLoad(t, r); !bytes.Equal(r.Lasting(), want) {
		t.Error("in the restored store it is another one")
	}
}
