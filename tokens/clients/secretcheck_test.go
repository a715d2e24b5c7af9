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
				err := s.delay(t.Context(), shownSecret{fmt.Sprint("unknown", i), "192.0.2.1", "wrong"})
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
				if n, err := s.check(t.Context(), client.SecretHashes, shownSecret{"honest", "198.51.100.7", "right"}); n == 1 && err == nil {
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
