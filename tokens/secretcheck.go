package tokens

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// secretChecker checks client secrets. A slow hash (bcrypt, argon2id) is
// computed once per secret and process: what matched is remembered by a keyed
// digest. Failures take equal time whatever was wrong, and slow ones queue for
// a processor each, so that guessing does not starve the rest.
type secretChecker struct {
	compare func(hash, plaintext []byte) (bool, error)
	decoy   string // a slow hash of the configuration, if it has one
	most    int    // slow hashes of one client
	clock   func() time.Time
	shared  *secretWork
}

// secretWork is what the configurations over one State share: a reload neither
// forgets what matched nor opens another queue.
type secretWork struct {
	limit   *secretLimit
	slots   chan struct{} // one per slow comparison under way
	waiting atomic.Int64
	key     [32]byte

	mu      sync.RWMutex
	matched map[string][sha256.Size]byte // by hash
}

func newSecretWork() *secretWork {
	w := &secretWork{
		limit:   newSecretLimit(),
		slots:   make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
		matched: make(map[string][sha256.Size]byte),
	}
	_, _ = rand.Read(w.key[:]) // never fails
	return w
}

func newSecretChecker(clients []*Client, compare func(hash, plaintext []byte) (bool, error), clock func() time.Time, shared *secretWork) *secretChecker {
	s := &secretChecker{compare: compare, clock: clock, shared: shared}
	for _, c := range clients {
		slow := 0
		for _, h := range c.SecretHashes {
			if slowHash(h) {
				s.decoy = h
				slow++
			}
		}
		s.most = max(s.most, slow)
	}
	return s
}

// check returns the number of the client's hash, from 1, that the secret belongs
// to, or 0. Its error means that it could not be found out.
func (s *secretChecker) check(ctx context.Context, c *Client, secret string) (int, error) {
	hashes := c.SecretHashes
	digest := s.shared.digest(secret)
	slow := 0
	for n, h := range hashes {
		switch {
		case !slowHash(h) && matchesSHA256(h, secret), slowHash(h) && s.shared.remembers(h, digest):
			return n + 1, nil
		case slowHash(h):
			slow++
		}
	}
	if err := s.admit(ctx, c.ID); err != nil {
		return 0, err
	}
	for n, h := range hashes {
		if !slowHash(h) {
			continue
		}
		ok, err := s.compareSlow(ctx, h, secret)
		if err != nil {
			return 0, err
		}
		if ok {
			s.shared.remember(h, digest)
			return n + 1, nil
		}
	}
	return 0, s.spend(ctx, secret, slow)
}

// delay spends the time that a wrong secret costs, where there is none to compare with.
func (s *secretChecker) delay(ctx context.Context, secret string) error {
	if err := s.admit(ctx, ""); err != nil {
		return err
	}
	return s.spend(ctx, secret, 0)
}

// admit bounds how often a network makes us compute slow hashes, if there are any.
func (s *secretChecker) admit(ctx context.Context, client string) error {
	if s.most == 0 {
		return nil
	}
	return s.shared.limit.take(ctx, client, s.clock())
}

// spend computes as many slow hashes as a wrong secret costs at the client with
// the most of them, of which so many were computed already.
func (s *secretChecker) spend(ctx context.Context, secret string, computed int) error {
	for range s.most - computed {
		if _, err := s.compareSlow(ctx, s.decoy, secret); err != nil {
			return err
		}
	}
	return nil
}

// errBusy is told to come back: the slow comparisons have a short queue.
var errBusy = errors.New("too many slow secret hashes to compare at once")

const (
	waitingPerSlot = 8
	slowWait       = 3 * time.Second
)

func (s *secretChecker) compareSlow(ctx context.Context, hash, secret string) (bool, error) {
	w := s.shared
	if w.waiting.Add(1) > int64(waitingPerSlot*cap(w.slots)) {
		w.waiting.Add(-1)
		return false, errBusy
	}
	defer w.waiting.Add(-1)
	ctx, cancel := context.WithTimeoutCause(ctx, slowWait, errBusy)
	defer cancel()
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	return s.compare([]byte(hash), []byte(secret))
}

func (w *secretWork) digest(secret string) [sha256.Size]byte {
	m := hmac.New(sha256.New, w.key[:])
	m.Write([]byte(secret))
	return [sha256.Size]byte(m.Sum(nil))
}

func (w *secretWork) remembers(hash string, digest [sha256.Size]byte) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	held, ok := w.matched[hash]
	return ok && hmac.Equal(held[:], digest[:])
}

func (w *secretWork) remember(hash string, digest [sha256.Size]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.matched[hash] = digest
}
