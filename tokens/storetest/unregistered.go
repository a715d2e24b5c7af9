package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// What stores do about clients that no configuration names: they bound and end them together.
var unregisteredCases = []testCase{
	{"cap over all that nobody registered", createCapUnregistered},
	{"a thousand that nobody registered", createThousand},
	{"end of all that registered themselves", endRegistered},
	{"end that holds for a time", endClientKept},
	{"blocked", blockClient},
}

// createCapUnregistered: however many clients somebody lets in that nobody registered, they
// hold no more than one client's share.
func createCapUnregistered(t *testing.T, f *fixture) {
	own := f.family(maxActive(2))
	of := func(client storage.ClientTag) func(*storage.CreateRequest) {
		return func(r *storage.CreateRequest) { r.Client, r.MaxActive = client, 2 }
	}
	var ids []storage.FamilyID
	for _, kind := range []storage.ClientTag{storage.AllRegistered, storage.AllDocuments, storage.AllRegistered, storage.AllRegistered} {
		client := kind.Of(random[[16]byte]())
		res := f.create(f.createRequest(of(client)))
		if ids = append(ids, res.Family.ID); len(ids) > 2 {
			if !slices.Equal(res.Evicted, ids[:1]) {
				t.Errorf("evicted %v, want the oldest of those that nobody registered", res.Evicted)
			}
			ids = ids[1:]
		}
		if client.Kind() != kind || client == kind || !client.Unregistered() || app.Unregistered() {
			t.Errorf("%x is of the kind %x, want %x", client, client.Kind(), kind)
		}
		f.pass(1100 * time.Millisecond)
	}
	f.wantLive(append([]storage.FamilyID{own.ID}, ids...)...) // a client of the configuration has a share of its own
}

// createThousand: somebody lets a thousand clients in, of both kinds, and holds two hundred
// families, the newest. Those that ended have told who had them.
func createThousand(t *testing.T, f *fixture) {
	const thousand, most = 1000, 200
	evicted := make(map[storage.FamilyID]bool)
	var newest []storage.FamilyID
	for n := range thousand {
		kind := storage.AllDocuments
		if n%2 == 0 {
			kind = storage.AllRegistered
		}
		res := f.create(f.createRequest(maxActive(most), func(r *storage.CreateRequest) { r.Client = kind.Of(random[[16]byte]()) }))
		if !res.Created || len(res.Evicted) > 1 {
			t.Fatalf("client %d: created %t, %d evicted", n, res.Created, len(res.Evicted))
		}
		for _, id := range res.Evicted {
			evicted[id] = true
		}
		if f.h.Advance == nil {
			continue // within one second none is the oldest
		}
		if f.pass(1100 * time.Millisecond); n >= thousand-most {
			newest = append(newest, res.Family.ID)
		}
	}
	live := Must(f.s.ListFamilies(f.ctx(), f.user))(t)
	for _, id := range newest {
		if evicted[id] {
			t.Errorf("family %v is one of the newest, and was evicted", id)
		}
	}
	if len(live) != most || len(evicted) != thousand-most {
		t.Errorf("%d families live and %d were evicted, want %d and %d", len(live), len(evicted), most, thousand-most)
	}
}

// endRegistered: one watermark ends the clients of one kind, and no others.
func endRegistered(t *testing.T, f *fixture) {
	of := func(client storage.ClientTag) func(*storage.CreateRequest) {
		return func(r *storage.CreateRequest) { r.Client = client }
	}
	registered, document := storage.AllRegistered.Of(random[[16]byte]()), storage.AllDocuments.Of(random[[16]byte]())
	ended, other, own := f.family(of(registered)), f.family(of(document)), f.family()
	f.toSecond(100 * time.Millisecond)
	mark := f.endClient(storage.AllRegistered)
	heard := func(client storage.ClientTag) func(*storage.RotateRequest) {
		return func(r *storage.RotateRequest) {
			if r.Client = client; client == registered && !f.known[storage.AllRegistered].IsZero() {
				r.BegunAfter = mark
			}
		}
	}
	f.rotate(f.present(ended, 1, heard(registered)), storage.RotateUnknown, 0)
	f.rotate(f.present(other, 1, heard(document)), storage.Rotated, 2)
	f.rotate(f.present(own, 1), storage.Rotated, 2)
	fresh := f.create(f.createRequest(of(registered), func(r *storage.CreateRequest) { r.BegunAfter = mark }))
	if !fresh.Created || !fresh.IssueAt.Truncate(time.Second).After(mark) {
		t.Errorf("begun after the end: %+v, the end was at %v", fresh, mark)
	}
}

// endClientKept: the watermark of a client that is in no configuration is not kept for good.
func endClientKept(t *testing.T, f *fixture) {
	client := storage.AllRegistered.Of(random[[16]byte]())
	NoError(t, second(f.s.EndClient(f.ctx(), client, 2*time.Second)))
	if marks := Must(f.s.ClientWatermarks(f.ctx()))(t); marks[client].Before.IsZero() {
		t.Error("the watermark is not there")
	}
	f.pass(4 * time.Second)
	if marks := Must(f.s.ClientWatermarks(f.ctx()))(t); len(marks) != 0 {
		t.Errorf("watermarks %v, want none any more", marks)
	}
}

// blockClient: who is blocked stays so, whatever else is decided, until somebody says otherwise.
func blockClient(t *testing.T, f *fixture) {
	client := storage.AllRegistered.Of(random[[16]byte]())
	want := func(blocked, ended bool) {
		t.Helper()
		marks := Must(f.s.ClientWatermarks(f.ctx()))(t)
		if m := marks[client]; m.Blocked != blocked || m.Before.IsZero() == ended {
			t.Errorf("mark %+v, want blocked %t, ended %t", m, blocked, ended)
		}
	}
	NoError(t, f.s.BlockClient(f.ctx(), client, true))
	want(true, false)
	NoError(t, f.s.BlockClient(f.ctx(), client, true))
	NoError(t, second(f.s.EndClient(f.ctx(), client, time.Second)))
	f.pass(3 * time.Second)
	want(true, true) // and the end holds as long
	f.reopen()
	want(true, true)
	NoError(t, f.s.BlockClient(f.ctx(), client, false))
	want(false, false) // its time is over
	NoError(t, second(f.s.EndClient(f.ctx(), client, 2*time.Second)))
	NoError(t, f.s.BlockClient(f.ctx(), client, true))
	NoError(t, f.s.BlockClient(f.ctx(), client, false))
	want(false, true)
	f.pass(4 * time.Second)
	want(false, false)
	other := storage.AllRegistered.Of(random[[16]byte]())
	NoError(t, f.s.BlockClient(f.ctx(), other, true))
	NoError(t, f.s.BlockClient(f.ctx(), other, false))
	if marks := Must(f.s.ClientWatermarks(f.ctx()))(t); len(marks) != 0 {
		t.Errorf("marks %v: nothing is left to say of one of them", marks)
	}
}

// second returns the error of a call whose answer does not matter.
func second[T any](_ T, err error) error { return err }
