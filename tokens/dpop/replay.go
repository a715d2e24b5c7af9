package dpop

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// replayWindow remembers proofs for as long as they are good, in bounded
// memory. Each shard has two maps, of which the older is dropped in turn: an
// entry lives for one proofWindow at least and two at most.
//
// The shard is chosen under a key of this process: a client chooses its jti, and
// could fill one shard with a 64th of the proofs that filling all of them takes.
type replayWindow struct {
	seed   maphash.Seed
	shards [replayShards]replayShard
}

const (
	replayShards = 64
	// maxShardProofs bounds each map: two million proofs in all, about 80 MB,
	// which is 15,000 a second and more than the signatures leave time for.
	maxShardProofs = 1 << 14
	// proofWindow is how long after its arrival a proof can still be good.
	proofWindow = proofAge + proofAhead + time.Second
)

type replayShard struct {
	mu           sync.Mutex
	recent, past map[[16]byte]struct{}
	since        time.Time // when recent was begun
}

func newReplayWindow() *replayWindow { return &replayWindow{seed: maphash.MakeSeed()} }

// errTooManyProofs is the answer while a map is full before its time: what
// cannot be remembered cannot be accepted, and nothing is forgotten early.
var errTooManyProofs = &oauth.Error{
	Code:        oauth.TemporarilyUnavailable,
	Reason:      oauth.ReasonProofReplayed,
	Description: "The service is temporarily unavailable. Try again shortly.",
	RetryAfter:  2 * time.Second,
}

// take reports whether a key's proof comes for the first time.
func (w *replayWindow) take(key jose.Thumbprint, id string, now time.Time) error {
	mark := storage.Hash16("dpop", append(key[:], id...))
	s := &w.shards[maphash.Bytes(w.seed, mark[:])%replayShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	age := now.Sub(s.since)
	back := age < -proofWindow // the clock was set back: what is held has its iat far ahead, and would not pass
	if s.recent == nil || age >= proofWindow || back {
		if age >= 2*proofWindow || back {
			s.recent = nil // what it holds is over, too
		}
		s.past, s.recent, s.since = s.recent, make(map[[16]byte]struct{}), now
	}
	if _, used := s.recent[mark]; used {
		return errProofReplayed
	}
	if _, used := s.past[mark]; used {
		return errProofReplayed
	}
	if len(s.recent) >= maxShardProofs {
		return errTooManyProofs
	}
	s.recent[mark] = struct{}{}
	return nil
}
