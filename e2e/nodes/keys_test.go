package nodes

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// keyIDs are the ids in a node's published key set.
func (n *node) keyIDs(t *testing.T) []string {
	t.Helper()
	resp, err := n.client.Get(n.site.issuer + ".well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("reading the key set of %s: %v: %s", n.name, err, body)
	}
	ids := make([]string, len(set.Keys))
	for i, k := range set.Keys {
		ids[i] = k.ID
	}
	slices.Sort(ids)
	return ids
}

// TestKeysOfTwoNodes: both nodes, started at once on an empty Redis, sign with
// the same keys; both rotating at once, under load, end with one new key each
// algorithm, and nobody is refused (KEY-09, KEY-10).
func TestKeysOfTwoNodes(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	a, b := s.nodes[0], s.nodes[1]
	first := a.keyIDs(t)
	if other := b.keyIDs(t); !slices.Equal(first, other) {
		t.Fatalf("A has the keys %v, B %v", first, other)
	}
	c := s.newCrowd(t, 4)
	done := c.run()
	var wg sync.WaitGroup
	for _, n := range s.nodes {
		for range 4 {
			wg.Go(func() {
				if _, err := n.adminDo(http.MethodPost, "/oauth/keys/rotate", "", nil); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	after := a.keyIDs(t)
	if len(after) != 2*len(first) {
		t.Errorf("%d keys became %d", len(first), len(after))
	}
	for _, id := range first {
		if !slices.Contains(after, id) {
			t.Errorf("the key %s, which still signs, is not published any more", id)
		}
	}
	within(t, "B to publish what A does", time.Minute, func() bool { return slices.Equal(b.keyIDs(t), after) })
	c.busy(50)
	done()
	s.check(map[history.Kind]int{history.Refresh: 50, history.Call: 150})
}

// TestKeyUsedAtOnce: a key that is used the moment it is made, as after a theft
// of the old one, is one that the other node does not know yet. It learns it
// within seconds, and no login is lost by it.
func TestKeyUsedAtOnce(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	a, b := s.nodes[0], s.nodes[1]
	l := s.newLogin(t, 0, 0)
	if _, err := a.adminDo(http.MethodPost, "/oauth/keys/rotate?immediate=true", "", nil); err != nil {
		t.Fatal(err)
	}
	if v := l.renew(0, nil); v != history.Done {
		t.Fatalf("refresh: %s", v)
	}
	refusals := 0
	start := time.Now()
	for l.call(b) == history.Refused {
		if refusals++; time.Since(start) > 10*time.Second {
			t.Fatal("B does not learn the new key")
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("B refused %d calls, until %v after the first", refusals, time.Since(start).Round(time.Millisecond))
	if v := l.renew(1, nil); v != history.Done {
		t.Errorf("refresh on B: %s", v)
	}
	if v := l.call(a); v != history.Done {
		t.Errorf("call at A: %s", v)
	}
}
