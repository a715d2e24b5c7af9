package verify

import (
	"fmt"
	"testing"
	"time"
)

// held returns what the front holds.
func (f *front) held() (all []*Claims) {
	for s := range f {
		for i := range f[s] {
			if c := f[s][i].Load(); c != nil {
				all = append(all, c)
			}
		}
	}
	return all
}

func newTestCache(t *testing.T, maxBytes int64) *Cache {
	t.Helper()
	c, err := NewCache(maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// In the front is what was found, under all of its digest, and the cache behind
// it hears of a part of the hits.
func TestFrontFinds(t *testing.T) {
	c := newTestCache(t, 0)
	claims := &Claims{Expiry: time.Now().Add(time.Hour)}
	c.Put("token", claims)
	c.entries.Wait()
	if len(c.front.held()) != 0 {
		t.Error("a token that nobody has shown is in the front")
	}
	for range 1000 {
		if c.Get("token") != claims {
			t.Fatal("not found")
		}
	}
	if held := c.front.held(); len(held) != 1 || held[0] != claims {
		t.Errorf("the front holds %d tokens", len(held))
	}
	passed := 0
	for range 1000 {
		if c.front.get(&claims.digest) == nil {
			passed++
		}
	}
	if passed == 0 || passed > 200 {
		t.Errorf("of 1000 hits the cache behind heard of %d", passed)
	}
	other := claims.digest
	other[31] ^= 1
	for range 100 {
		if c.front.get(&other) != nil {
			t.Fatal("the claims of another token are found")
		}
	}
}

// Tokens that meet in one set displace each other and are told apart.
func TestFrontOfManyTokens(t *testing.T) {
	f := new(front)
	all := make([]*Claims, 5)
	for i := range all {
		all[i] = new(Claims)
		all[i].digest[0] = byte(i) // the set is chosen by later bytes
	}
	for range 3 {
		for _, c := range all {
			f.put(c)
			f.put(c)
			for _, asked := range all {
				if got := f.get(&asked.digest); got != nil && got != asked {
					t.Fatal("the claims of another token are found")
				}
			}
		}
	}
	if held := f.held(); len(held) != 2 || held[0] != all[4] || held[1] != all[3] {
		t.Errorf("the front holds %d tokens, not the last two", len(held))
	}
	f.drop(nil)
	f.drop(all[0])
	f.drop(all[4])
	if held := f.held(); len(held) != 1 || held[0] != all[3] {
		t.Errorf("the front holds %d tokens after a drop", len(held))
	}
}

// What the cache evicts, and all of it when it is closed, leaves the front too:
// else memory had no bound.
func TestFrontHoldsNoMoreThanTheCache(t *testing.T) {
	c := newTestCache(t, 256<<10)
	for i := range 5000 {
		token := fmt.Sprint("token", i)
		c.Put(token, &Claims{Expiry: time.Now().Add(time.Hour)})
		c.entries.Wait() // a reader may put back what is being let go
		c.Get(token)
	}
	c.entries.Wait()
	held := c.front.held()
	for _, claims := range held {
		if got, ok := c.entries.Get(cacheKey(&claims.digest)); !ok || got != claims {
			t.Error("the front holds what the cache does not hold")
		}
	}
	if len(held) == 0 {
		t.Error("the front holds nothing")
	}
	c.Close()
	if len(c.front.held()) != 0 {
		t.Error("a closed cache holds tokens")
	}
}
