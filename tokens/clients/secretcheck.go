package clients

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// secretChecker checks client secrets. A slow hash (bcrypt, argon2id) is
// computed once per secret and process: what matched is remembered by a keyed
// digest. Failures take equal time whatever was wrong, and slow ones wait for
// their turn in the queue that people's passwords are in, so that guessing does
// not starve the rest.
type secretChecker struct {
	compare func(hash, plaintext []byte) (bool, error)
	decoy   string // a slow hash of the configuration, if it has one
	most    int    // slow hashes of one client
	clock   func() time.Time
	shared  *SecretMemory
}

// SecretMemory is what the configurations over one State share: a reload neither
// forgets what matched nor opens another queue.
type SecretMemory struct {
	limit  *secretLimit
	hashes *HashQueue
	key    [32]byte

	mu      sync.RWMutex
	matched map[string][sha256.Size]byte // by hash
}

// NewSecretMemory makes a SecretMemory whose slow hashes wait in a queue.
func NewSecretMemory(hashes *HashQueue) *SecretMemory {
	w := &SecretMemory{limit: newSecretLimit(), hashes: hashes, matched: make(map[string][sha256.Size]byte)}
	_, _ = rand.Read(w.key[:]) // never fails
	return w
}

func newSecretChecker(clients []*Client, compare func(hash, plaintext []byte) (bool, error), clock func() time.Time, shared *SecretMemory) *secretChecker {
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

// shownSecret is a secret and its sender: the client that it claims to be and
// the network that it comes from, by which turns are shared. What was sent may be
// read in several ways, each of which costs the same when it is wrong; together
// they are one try.
type shownSecret struct {
	client, address string
	secrets         []string
}

// check returns the number of the hash, from 1, that the secret belongs to, or
// 0. Its error means that it could not be found out.
func (s *secretChecker) check(ctx context.Context, hashes []string, shown shownSecret) (int, error) {
	for _, secret := range shown.secrets {
		if n := s.checkFast(hashes, secret); n > 0 {
			return n, nil
		}
	}
	if err := s.admit(shown); err != nil {
		return 0, err
	}
	computed := 0
	for _, secret := range shown.secrets {
		for n, h := range hashes {
			if !slowHash(h) {
				continue
			}
			ok, err := s.compareSlow(ctx, h, secret, shown)
			if err != nil {
				return 0, err
			}
			if ok {
				s.shared.remember(h, s.shared.digest(secret))
				return n + 1, nil
			}
			computed++
		}
	}
	return 0, s.spend(ctx, shown, computed)
}

// checkFast returns the number of the hash that a secret is known to belong to
// without a slow comparison, or 0.
func (s *secretChecker) checkFast(hashes []string, secret string) int {
	digest := s.shared.digest(secret)
	for n, h := range hashes {
		if !slowHash(h) && matchesSHA256(h, secret) || slowHash(h) && s.shared.remembers(h, digest) {
			return n + 1
		}
	}
	return 0
}

// delay spends the time that a wrong secret costs, where there is none to compare with.
func (s *secretChecker) delay(ctx context.Context, shown shownSecret) error {
	shown.client = "" // no client of that name has a secret
	if err := s.admit(shown); err != nil {
		return err
	}
	return s.spend(ctx, shown, 0)
}

// admit bounds how often a network makes us compute slow hashes, if there are any.
func (s *secretChecker) admit(shown shownSecret) error {
	if s.most == 0 {
		return nil
	}
	return s.shared.limit.take(shown.address, shown.client, s.clock())
}

// spend computes as many slow hashes as a wrong secret, in all its readings, costs at
// the client with the most of them, less those that were computed already.
func (s *secretChecker) spend(ctx context.Context, shown shownSecret, computed int) error {
	for range s.most*len(shown.secrets) - computed {
		if _, err := s.compareSlow(ctx, s.decoy, shown.secrets[0], shown); err != nil {
			return err
		}
	}
	return nil
}

// secretWait is how long the comparison of a secret waits for its turn: its
// client is a program, which gives up after some seconds and comes again.
const secretWait = 5 * time.Second

// compareSlow compares a secret with a slow hash when it is its turn. The error
// is a *HashBusyError, or the context's.
func (s *secretChecker) compareSlow(ctx context.Context, hash, secret string, shown shownSecret) (ok bool, err error) {
	job := HashJob{Class: HashOfClient, Account: shown.client, Address: shown.address, Hash: hash, MaxWait: secretWait}
	waited := s.shared.hashes.Do(ctx, job, func() (computed bool) {
		if s.shared.remembers(hash, s.shared.digest(secret)) { // another request of the client's was first
			ok = true
			return false
		}
		ok, err = s.compare([]byte(hash), []byte(secret))
		return true
	})
	if waited != nil {
		return false, waited
	}
	return ok, err
}

func (w *SecretMemory) digest(secret string) [sha256.Size]byte {
	m := hmac.New(sha256.New, w.key[:])
	m.Write([]byte(secret))
	return [sha256.Size]byte(m.Sum(nil))
}

func (w *SecretMemory) remembers(hash string, digest [sha256.Size]byte) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	held, ok := w.matched[hash]
	return ok && hmac.Equal(held[:], digest[:])
}

func (w *SecretMemory) remember(hash string, digest [sha256.Size]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.matched[hash] = digest
}
