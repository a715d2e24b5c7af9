package boltstore

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// A history is kept for HistoryAge after its last note, and then swept away.
func TestHistoryIsForgotten(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, func(o *Options) { o.Clock = clock.Now })
	ctx := context.Background()
	id, request := storage.FamilyID{1}, storage.TagRequest("request")
	add := func(n storage.Note) {
		t.Helper()
		if err := s.AppendHistory(ctx, []storage.Note{n}); err != nil {
			t.Fatal(err)
		}
	}
	append := func() {
		t.Helper()
		add(storage.Note{Family: id, Request: request, Text: []byte("note")})
	}
	want := func(notes int) {
		t.Helper()
		got, err := s.History(ctx, []storage.FamilyID{id})
		if err != nil || len(got[0]) != notes {
			t.Errorf("%d notes, want %d: %v", len(got[0]), notes, err)
		}
		if _, found, err := s.FamilyOfRequest(ctx, request); err != nil || found != (notes > 0) {
			t.Errorf("the request: found %t, %v", found, err)
		}
	}
	append()
	clock.Advance(storage.HistoryAge - time.Second)
	append()
	want(2)
	clock.Advance(storage.HistoryAge - time.Second)
	want(2)
	clock.Advance(time.Second)
	want(0)
	append() // what is over and not swept yet does not come back
	want(1)
	clock.Advance(storage.HistoryAge - time.Second)
	add(storage.Note{Family: id})
	clock.Advance(2 * time.Second)
	if got, err := s.History(ctx, []storage.FamilyID{id}); err != nil || len(got[0]) != 1 {
		t.Errorf("a history that was prolonged: %v %v", got, err)
	}
	clock.Advance(storage.HistoryAge)
	want(0)
	if err := s.file.sweeper.sweep(ctx); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []bucketID{histories, requests} {
		if n := count(t, s, bucket); n != 0 {
			t.Errorf("%d records are left in %s", n, bucketNames[bucket])
		}
	}
}
