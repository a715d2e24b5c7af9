package redisstore

import (
	"sync"
	"time"
)

// replication is what a node knows of the replicas that its answers wait for
// (WaitReplicas), server by server. While those of one are behind, no call
// waits for them: see Store.runBehind.
type replication struct {
	fell chan struct{} // filled when some fall behind: the watch asks at once

	mu     sync.Mutex
	places map[string]*replicas
}

// replicas are those of one server.
type replicas struct {
	behind bool
	sent   time.Time // the newest write that WAIT has told of
}

func newReplication() *replication {
	return &replication{fell: make(chan struct{}, 1), places: make(map[string]*replicas)}
}

// behind reports whether the replicas of a server were behind when it was last asked.
func (r *replication) behind(place string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.places[place]
	return p != nil && p.behind
}

// note keeps whether enough replicas have confirmed a write, which was sent at
// some time: what is known of a write before the newest is out of date.
func (r *replication) note(place string, sent time.Time, enough bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.places[place]
	if p == nil {
		p = &replicas{}
		r.places[place] = p
	}
	if sent.Before(p.sent) {
		return
	}
	p.sent = sent
	switch {
	case enough && p.behind:
		p.behind = false
	case !enough && !p.behind:
		p.behind = true
		select {
		case r.fell <- struct{}{}:
		default: // the watch is on its way
		}
	}
}
