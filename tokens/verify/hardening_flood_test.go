package verify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
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
		payload := tokenstest.Segment(b.json(b.claims(map[string]any{"jti": fmt.Sprint(i)})))
		bad := head + "." + payload + good[strings.LastIndexByte(good, '.'):]
		if _, err := b.verifier.Verify(bad); reasonOf(t, err) != oauth.ReasonBadSignature {
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
