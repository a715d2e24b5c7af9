package state

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// tellable is a store that can be told, or not.
type tellable struct {
	storage.Families
	err   error
	told  []storage.UnansweredRequest
	tried int
}

func (s *tellable) Unanswered(_ context.Context, r storage.UnansweredRequest) error {
	s.tried++
	if s.err == nil {
		s.told = append(s.told, r)
	}
	return s.err
}

// TestOwedAnswers: what a node owes is kept until the store was told of all of it.
func TestOwedAnswers(t *testing.T) {
	store := &tellable{err: errors.New("away")}
	o := newOwedAnswers(store)
	epoch := time.Unix(1_800_000_000, 0)
	now := epoch
	ask := func(family, attempt byte) storage.UnansweredRequest {
		return storage.UnansweredRequest{Family: storage.FamilyID{family}, Presented: 1, Attempts: []storage.Attempt{{attempt}}, Asked: now}
	}
	if err := o.Settle(t.Context(), storage.FamilyID{1}, 1); err != nil || !o.settled() {
		t.Fatalf("nothing is owed: %v", err)
	}
	o.Add(ask(1, 1))
	now = now.Add(time.Second)
	o.Add(ask(1, 2))
	o.Add(ask(2, 3))
	if err := o.Settle(t.Context(), storage.FamilyID{1}, 1); err == nil || o.settleAll(t.Context()) {
		t.Error("a store that is away was told")
	}
	if o.settled() {
		t.Error("a node vouches for itself that could not tell what it owes")
	}
	store.err = nil
	if !o.settleAll(t.Context()) || !o.settled() || len(store.told) != 2 {
		t.Errorf("told of %d", len(store.told))
	}
	for _, r := range store.told {
		if r.Family == (storage.FamilyID{1}) && (len(r.Attempts) != 2 || !r.Asked.Equal(epoch)) {
			t.Errorf("told %+v", r)
		}
	}
	// What a store can't be told that answers everything else is tried for ever,
	// and keeps nobody from finding reuse for longer than some minutes.
	synctest.Test(t, func(t *testing.T) {
		store := &tellable{err: errors.New("damaged")}
		o := newOwedAnswers(store)
		o.Add(ask(1, 1))
		o.beaten(false)
		o.settleAll(t.Context())
		time.Sleep(time.Hour) // an outage, which ends
		o.beaten(true)
		o.settleAll(t.Context())
		time.Sleep(stuckAfter - time.Second)
		if o.settled() {
			t.Error("a node vouches for itself that owes an answer")
		}
		time.Sleep(time.Second)
		if !o.settled() || o.settleAll(t.Context()) {
			t.Error("one record keeps the node from vouching for itself, or was forgotten")
		}
		for n := range 100 {
			o.Add(ask(byte(2+n), 1))
		}
		store.tried = 0
		if o.settleAll(t.Context()); store.tried != settleFailures {
			t.Errorf("a store that is away was asked %d times at once", store.tried)
		}
	})
	for n := range maxOwedAnswers + 10 {
		o.Add(storage.UnansweredRequest{Family: storage.FamilyID{byte(n), byte(n >> 8), byte(n >> 16)}, Presented: 1})
	}
	if n := len(o.keys()); n != maxOwedAnswers {
		t.Errorf("%d are remembered", n)
	}
}
