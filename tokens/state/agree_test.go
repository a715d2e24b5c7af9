package state

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// grantStore keeps grants as the stores do: the first text under a hash stays.
type grantStore struct {
	storage.Families

	kept  map[storage.GrantID][]byte
	asked int
}

func (s *grantStore) PutGrant(_ context.Context, id storage.GrantID, text []byte, _ time.Duration) error {
	if s.kept[id] == nil {
		s.kept[id] = text
	}
	return nil
}

func (s *grantStore) Grant(_ context.Context, id storage.GrantID) ([]byte, error) {
	s.asked++
	return s.kept[id], nil
}

// A13: where two grants had one hash, the first stayed in the store and the last
// in the memory of each node, so that a refresh was worth either.
func TestA13GrantsOfOneHash(t *testing.T) {
	mine, other := storage.Grant{Scopes: []string{"orders:read"}}, storage.Grant{Scopes: []string{"orders:read", "orders:admin"}}
	text, id, err := mine.Text()
	if err != nil {
		t.Fatal(err)
	}
	otherText, _, err := other.Text()
	if err != nil {
		t.Fatal(err)
	}
	store := &grantStore{kept: map[storage.GrantID][]byte{id: otherText}}
	c := newGrantCache(store, time.Now)
	if err := c.Put(t.Context(), mine, time.Hour); !errors.Is(err, errGrantTaken) {
		t.Errorf("another one in the store: %v", err)
	}
	if g, known, err := c.Get(t.Context(), id, time.Hour); err == nil {
		t.Errorf("read %v %v, whose hash is another", g, known)
	}

	store.kept = map[storage.GrantID][]byte{}
	c = newGrantCache(store, time.Now)
	c.held[id] = heldGrant{grant: other}
	if err := c.Put(t.Context(), mine, time.Hour); !errors.Is(err, errGrantTaken) || len(c.held[id].grant.Scopes) != 2 {
		t.Errorf("another one in memory: %v, %v", err, c.held[id])
	}

	c, store.asked = newGrantCache(store, time.Now), 0
	for range 3 {
		if err := c.Put(t.Context(), mine, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if string(store.kept[id]) != string(text) || store.asked != 1 {
		t.Errorf("kept %s, and asked %d times", store.kept[id], store.asked)
	}
}
