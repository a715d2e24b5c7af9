package state

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

// faultyStore is a store with a bug in the calls that many share.
type faultyStore struct{ storage.Store }

func (faultyStore) Open(context.Context, storage.OpenRequest) (storage.OpenResult, error) {
	panic(errors.New("a bug in Open"))
}

func (faultyStore) ClientWatermarks(context.Context) (map[storage.ClientTag]storage.ClientMark, error) {
	panic(errors.New("a bug in ClientWatermarks"))
}

func (faultyStore) Denials(context.Context, []storage.UserTag) ([]storage.UserDenials, error) {
	panic(errors.New("a bug in Denials"))
}

// R12: a panic in a shared call was thrown again by x/sync, in a goroutine that
// nobody can recover, and Caddy ended. Each caller gets an error, and it is told.
func TestR12PanicInASharedCall(t *testing.T) {
	log := new(tokenstest.Events)
	s, err := New(Config{Store: faultyStore{}, Observer: log, CacheBytes: 1 << 20, DenylistEntries: 100})
	if err != nil {
		t.Fatal(err)
	}
	s.settings.Store(&Settings{Secrets: tokenstest.Secrets(t, "a")})
	for _, call := range []struct {
		name string
		do   func() error
	}{
		{"a bug in Open", func() error { return s.Open(t.Context()) }},
		{"a bug in ClientWatermarks", func() error { return s.Denylist.ClientChanged(t.Context()) }},
		{"a bug in ClientWatermarks", func() error { _, err := s.Denylist.ClientWatermark(t.Context(), storage.ClientTag{1}); return err }},
	} {
		before := log.Count(oauth.EventBackgroundRecovered)
		err := call.do()
		if _, panicked := errors.AsType[*background.PanicError](err); !panicked || !strings.Contains(err.Error(), call.name) {
			t.Errorf("%s: error %v", call.name, err)
		}
		if told := log.Count(oauth.EventBackgroundRecovered) - before; told != 1 {
			t.Errorf("%s: told %d times, want once", call.name, told)
		}
	}
}

// R12: background work that panics begins again, later each time, and is told.
func TestR12BackgroundWorkGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(tokenstest.Events)
		s := &State{observer: log}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		begun, runs := time.Now(), 0
		s.begin(ctx, "feed", func(context.Context) {
			if runs++; runs < 4 {
				panic(errors.New("a bug in the feed"))
			}
		})
		s.running.Wait()
		if took := time.Since(begun); runs != 4 || took != 7*time.Second || log.Count(oauth.EventBackgroundRecovered) != 3 {
			t.Errorf("%d runs in %v, told %d times", runs, took, log.Count(oauth.EventBackgroundRecovered))
		}
	})
}
