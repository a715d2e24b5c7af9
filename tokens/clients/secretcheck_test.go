package clients

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A13, A3's kind for clients: after a restart nothing is remembered, and wrong
// secrets for made-up clients flood the token endpoint. Those with the right one
// get through, wherever the flood's client IDs come from one network; and many
// requests of one client at once cost one hash.
func TestSecretsShareTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &Client{ID: "honest", SecretHashes: []string{"$2a$10$honest"}}
		var computed atomic.Int64
		s := newSecretChecker([]*Client{client}, func(_, secret []byte) (bool, error) {
			time.Sleep(time.Second)
			computed.Add(1)
			return string(secret) == "right", nil
		}, time.Now, NewSecretMemory(NewHashQueue(1)))
		var wg sync.WaitGroup
		var busy, refused, ok atomic.Int64
		for i := range 100 {
			wg.Go(func() {
				err := s.delay(t.Context(), shownSecret{fmt.Sprint("unknown", i), "192.0.2.1", []string{"wrong"}})
				if after, is := errors.AsType[*HashBusyError](err); is && after.After >= time.Second || errors.Is(err, errTooManySecrets) {
					busy.Add(1)
				} else if err == nil {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		begun := time.Now()
		for range 5 {
			wg.Go(func() {
				if n, err := s.check(t.Context(), client.SecretHashes, shownSecret{"honest", "198.51.100.7", []string{"right"}}); n == 1 && err == nil {
					ok.Add(1)
				}
			})
		}
		synctest.Wait()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if ok.Load() == 0 {
			t.Errorf("the honest client waits for more than %v", time.Since(begun))
		}
		wg.Wait()
		if ok.Load() != 5 || busy.Load() < 80 || busy.Load()+refused.Load() != 100 {
			t.Errorf("%d of 5 are in; of the flood %d were told to come again and %d refused", ok.Load(), busy.Load(), refused.Load())
		}
		if n := computed.Load(); n != refused.Load()+1 {
			t.Errorf("%d hashes for %d wrong secrets and one right one", n, refused.Load())
		}
	})
}

// S17: what was sent is tried in all its readings, which is one try and costs the same
// for every client, and nothing slow where one of them is known.
func TestReadingsOfASecret(t *testing.T) {
	const fast, slow = "the fast one", "$2a$10$slow"
	client := &Client{ID: "web", SecretHashes: []string{slow, HashSecret(fast)}}
	for _, tt := range []struct {
		name    string
		secrets []string
		known   bool
		number  int
		slow    int
	}{
		{"S17: the first, fast", []string{fast, "x"}, true, 2, 0},
		{"S17: the second, fast", []string{"x", fast}, true, 2, 0},
		{"S17: the first, slow", []string{"right", "x"}, true, 1, 1},
		{"S17: the second, slow", []string{"x", "right"}, true, 1, 2},
		{"S17: neither", []string{"x", "y"}, true, 0, 2},
		{"S17: neither, of nobody", []string{"x", "right"}, false, 0, 2},
		{"S17: one", []string{"x"}, true, 0, 1},
		{"S17: one, of nobody", []string{"x"}, false, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			computed := 0
			s := newSecretChecker([]*Client{client}, func(_, secret []byte) (bool, error) {
				computed++
				return string(secret) == "right", nil
			}, time.Now, NewSecretMemory(NewHashQueue(1)))
			shown := shownSecret{"web", "192.0.2.1", tt.secrets}
			if !tt.known {
				if err := s.delay(t.Context(), shown); err != nil || computed != tt.slow {
					t.Errorf("%d hashes, %v", computed, err)
				}
				return
			}
			n, err := s.check(t.Context(), client.SecretHashes, shown)
			if err != nil || n != tt.number || computed != tt.slow {
				t.Errorf("hash %d, %d were computed, %v", n, computed, err)
			}
		})
	}
	s := newSecretChecker([]*Client{client}, func(_, _ []byte) (bool, error) { return false, nil }, time.Now, NewSecretMemory(NewHashQueue(1)))
	now := time.Now()
	s.clock = func() time.Time { return now }
	for range clientBurst {
		if _, err := s.check(t.Context(), client.SecretHashes, shownSecret{"web", "192.0.2.1", []string{"x", "y"}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.check(t.Context(), client.SecretHashes, shownSecret{"web", "192.0.2.1", []string{"x", "y"}}); !errors.Is(err, errTooManySecrets) {
		t.Errorf("one more: %v", err)
	}
}
