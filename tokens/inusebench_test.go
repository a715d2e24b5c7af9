package tokens

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// nothingDenied is a store that knows of no denial.
type nothingDenied struct{ denialStore }

func (nothingDenied) Denials(_ context.Context, users []UserTag) ([]UserDenials, error) {
	return make([]UserDenials, len(users)), nil
}

func (nothingDenied) ClientWatermarks(context.Context) (map[ClientTag]time.Time, error) {
	return nil, nil
}

// BenchmarkInUse checks tokens that were seen before, each of another person:
// what a guarded route costs beside HTTP. With many of them the processor's
// caches hold little of what they say.
func BenchmarkInUse(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		f := newTokenBench(b)
		d, err := NewDenylist(DenylistConfig{Store: nothingDenied{}, Entries: 1_000_000, Observer: NopObserver{}, Clock: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		check := func(token string) {
			c, err := f.verifier.Verify(token)
			if err == nil {
				err = d.Check(b.Context(), &c.Token)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = f.mint(nil, map[string]any{
				"sub": fmt.Sprintf("local|%d", i), ClaimFamily: FamilyID{1}.String(), "sid": SessionID{2}.String(), "auth_time": f.now.Unix(),
			})
			check(tokens[i])
		}
		f.cache.entries.Wait()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i += 7919 { // a prime: each in its turn, and no two neighbours
				check(tokens[i%n])
			}
		})
		d.Close()
	}
}
