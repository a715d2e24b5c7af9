package redisstore

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestNodesAreBounded: of nodes that have died as many are remembered as are
// needed, and a server that takes no writes answers all the same.
func TestNodesAreBounded(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	now := time.Now()
	beat := func(n int, says storage.BeatRequest) {
		t.Helper()
		says.Node = storage.NodeMark{byte(n >> 8), byte(n), 1}
		s.move(atTime(now.Add(time.Duration(n) * time.Second)))
		_, err := s.Beat(t.Context(), says)
		mustDo(t, err)
	}
	known := func(n int) bool {
		t.Helper()
		a, err := s.eval(t.Context(), s.conn, s.scripts().vouched, []string{s.nodesKey()}, []byte{byte(n >> 8), byte(n), 1})
		mustDo(t, err)
		a.millis()
		return !a.millis().IsZero()
	}
	vouch := storage.BeatRequest{Settled: true}
	const nobody = 2 * maxNodes
	for n := range nobody {
		beat(n, vouch)
	}
	if !known(2*maxNodes-1) || !known(maxNodes) || known(maxNodes-1) {
		t.Error("other nodes are remembered than the last ones")
	}
	if n := server.Do("HLEN", s.nodesKey()); n != strconv.Itoa(maxNodes) {
		t.Errorf("%s nodes are remembered", n)
	}
	beat(2*maxNodes-1, storage.BeatRequest{Leaving: true})
	beat(nobody, storage.BeatRequest{}) // has nothing to say
	if known(2*maxNodes-1) || known(nobody) {
		t.Error("a node is remembered that has taken leave, or does not vouch for itself")
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	beat(nobody+1, vouch)
	server.Do("CONFIG", "SET", "maxmemory", "0")
	if known(nobody + 1) {
		t.Error("a full server has taken a write")
	}
	now = now.Add(nodesKept)
	beat(nobody+2, vouch)
	if n := server.Do("HLEN", s.nodesKey()); n != "1" {
		t.Errorf("%s nodes are remembered after %v", n, nodesKept)
	}
}

// TestStrictAndTheNodeDied: a client without a leeway comes to another node before
// anybody can know whether the one that has rotated is dead. It is told to come
// again; and where that node lives, a thief is found out a moment later.
func TestStrictAndTheNodeDied(t *testing.T) {
	server := redistest.Start(t)
	maker, other := openStore(t, server), openStore(t, server)
	now := time.Now()
	pass := func(d time.Duration) {
		now = now.Add(d)
		for _, s := range []*Store{maker, other} {
			s.move(atTime(now))
		}
	}
	pass(0)
	node := storage.NodeMark{1, 2, 3}
	vouch := func() {
		t.Helper()
		_, err := maker.Beat(t.Context(), storage.BeatRequest{Node: node, Settled: true})
		mustDo(t, err)
	}
	vouch()
	for _, lives := range []bool{true, false} {
		c := newChain(t, maker, map[bool]string{true: "local|alice", false: "local|bob"}[lives])
		pass(time.Millisecond)
		c.request.Leeway, c.request.Attempt = 0, storage.Attempt{1, 2, 3, 4}
		res, err := maker.Rotate(t.Context(), c.request)
		if err != nil || res.Outcome != storage.Rotated {
			t.Fatalf("rotate: %+v, %v", res, err)
		}
		c.request.Attempt = newAttempt()
		if _, err := other.Rotate(t.Context(), c.request); !errors.Is(err, errUnsure) {
			t.Errorf("before anybody can know: %v", err)
		}
		want := storage.Rotated
		if lives {
			vouch()
			want = storage.RotateReused
		} else {
			pass(storage.SilentAfter + time.Second)
		}
		if res, err := other.Rotate(t.Context(), c.request); err != nil || res.Outcome != want {
			t.Errorf("lives %v: %+v, %v", lives, res, err)
		}
	}
}
