package tokens

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"runtime"
	"sync"
)

// secretChecker checks client secrets. A slow hash (bcrypt, argon2id) is
// computed once per secret and process: what matched is remembered by a keyed
// digest. Failures take equal time whatever was wrong, and slow ones queue for
// a processor each, so that guessing does not starve the rest.
type secretChecker struct {
	compare func(hash, plaintext []byte) (bool, error)
	decoy   string        // a slow hash of the configuration, if it has one
	most    int           // slow hashes of one client
	slots   chan struct{} // one per slow comparison under way
	key     [32]byte

	mu      sync.RWMutex
	matched map[string][sha256.Size]byte // by hash
}

func newSecretChecker(clients []*Client, compare func(hash, plaintext []byte) (bool, error)) *secretChecker {
	s := &secretChecker{
		compare: compare,
		slots:   make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
		matched: make(map[string][sha256.Size]byte),
	}
	_, _ = rand.Read(s.key[:]) // never fails
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

// check reports whether the secret belongs to one of the hashes. Its error
// means that it could not be found out.
func (s *secretChecker) check(ctx context.Context, hashes []string, secret string) (bool, error) {
	digest := s.digest(secret)
	var slow []string
	for _, h := range hashes {
		switch {
		case !slowHash(h) && matchesSHA256(h, secret), slowHash(h) && s.remembers(h, digest):
			return true, nil
		case slowHash(h):
			slow = append(slow, h)
		}
	}
	for _, h := range slow {
		ok, err := s.compareSlow(ctx, h, secret)
		if err != nil {
			return false, err
		}
		if ok {
			s.remember(h, digest)
			return true, nil
		}
	}
	return false, s.delay(ctx, secret, len(slow))
}

// delay spends the time that a wrong secret costs at the client with the most
// slow hashes, of which so many were computed already.
func (s *secretChecker) delay(ctx context.Context, secret string, computed int) error {
	for range s.most - computed {
		if _, err := s.compareSlow(ctx, s.decoy, secret); err != nil {
			return err
		}
	}
	return nil
}

func (s *secretChecker) compareSlow(ctx context.Context, hash, secret string) (bool, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return s.compare([]byte(hash), []byte(secret))
}

func (s *secretChecker) digest(secret string) [sha256.Size]byte {
	m := hmac.New(sha256.New, s.key[:])
	m.Write([]byte(secret))
	return [sha256.Size]byte(m.Sum(nil))
}

func (s *secretChecker) remembers(hash string, digest [sha256.Size]byte) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	held, ok := s.matched[hash]
	return ok && hmac.Equal(held[:], digest[:])
}

func (s *secretChecker) remember(hash string, digest [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.matched[hash] = digest
}
