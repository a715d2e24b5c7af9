package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var indexCases = []testCase{
	{"found by a name", indexFound},
	{"ends", indexEnds},
	{"bounded", indexBound},
	{"racing", indexRacing},
	{"moves", indexMoves},
}

// index notes somebody's login under a name.
func (f *fixture) index(key storage.IndexKey, lifetime time.Duration) storage.Indexed {
	f.t.Helper()
	login := storage.Indexed{User: random[storage.UserTag](), Root: random8[storage.SessionID]()}
	f.indexAgain(key, lifetime, login)
	return login
}

func (f *fixture) indexAgain(key storage.IndexKey, lifetime time.Duration, login storage.Indexed) {
	f.t.Helper()
	NoError(f.t, f.s.PutIndex(f.ctx(), storage.IndexRequest{Key: key, Indexed: login, Lifetime: lifetime}))
}

func (f *fixture) wantFound(key storage.IndexKey, want ...storage.Indexed) {
	f.t.Helper()
	if got := Must(f.s.FindIndex(f.ctx(), key))(f.t); !slices.Equal(got, want) {
		f.t.Errorf("found %v, want %v", got, want)
	}
}

func indexFound(_ *testing.T, f *fixture) {
	sid, sub := random[storage.IndexKey](), random[storage.IndexKey]()
	f.wantFound(sid)
	one := f.index(sid, f.lifetime)
	first, second := f.index(sub, f.lifetime), f.index(sub, f.lifetime)
	f.wantFound(sid, one)
	f.wantFound(sub, first, second)
	f.indexAgain(sub, f.lifetime, first) // the same call sent again, or another login of the root
	f.reopen()
	f.wantFound(sub, second, first)
	f.wantFound(sid, one)
}

func indexEnds(_ *testing.T, f *fixture) {
	key := random[storage.IndexKey]()
	long, short := f.index(key, 2*f.lifetime), f.index(key, f.lifetime)
	f.wantFound(key, long, short)
	f.pass(f.lifetime + time.Second)
	f.wantFound(key, long)
	good := f.index(key, 0)
	f.wantFound(key, long, good)
	f.pass(f.lifetime + time.Second)
	f.wantFound(key, good)
	f.indexAgain(key, f.lifetime, good)
	f.pass(f.lifetime + time.Second)
	f.wantFound(key)
}

func indexBound(_ *testing.T, f *fixture) {
	key := random[storage.IndexKey]()
	var all []storage.Indexed
	for range storage.MaxIndexed + 3 {
		all = append(all, f.index(key, f.lifetime))
	}
	f.wantFound(key, all[3:]...)
}

func indexRacing(t *testing.T, f *fixture) {
	key := random[storage.IndexKey]()
	Concurrently(8, func(int) { f.index(key, f.lifetime) })
	if got := Must(f.s.FindIndex(f.ctx(), key))(t); len(got) != 8 {
		t.Errorf("%d of 8 logins are found", len(got))
	}
}

func indexMoves(_ *testing.T, f *fixture) {
	keys := []storage.IndexKey{random[storage.IndexKey](), random[storage.IndexKey]()}
	first, second, short := f.index(keys[0], f.lifetime), f.index(keys[0], 0), f.index(keys[0], time.Second)
	other := f.index(keys[1], f.lifetime)
	f.wantFound(keys[0], first, second, short)
	f.pass(2 * time.Second)
	f.move()
	f.wantFound(keys[0], first, second)
	f.wantFound(keys[1], other)
	f.pass(f.lifetime + time.Second)
	f.wantFound(keys[0], second)
}
