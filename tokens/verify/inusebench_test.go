package verify

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/denylist"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// nothingDenied is a store that knows of no denial.
type nothingDenied struct{ denylist.Store }

func (nothingDenied) Denials(_ context.Context, users []storage.UserTag) ([]storage.UserDenials, error) {
	return make([]storage.UserDenials, len(users)), nil
}

func (nothingDenied) ClientWatermarks(context.Context) (map[storage.ClientTag]storage.ClientMark, error) {
	return nil, nil
}

// BenchmarkInUse checks tokens that were seen before, each of another person:
// what a guarded route costs beside HTTP. With many of them the processor's
// caches hold little of what they say.
func BenchmarkInUse(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		f := newTokenBench(b)
		d, err := denylist.New(denylist.Config{Store: nothingDenied{}, Entries: 1_000_000, Observer: oauth.NopObserver{}, Clock: time.Now})
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
				"sub": fmt.Sprintf("local|%d", i), claimFamily: storage.FamilyID{1}.String(), "sid": storage.SessionID{2}.String(), "auth_time": f.now.Unix(),
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
