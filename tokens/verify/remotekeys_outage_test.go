package verify

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// foreignGate is a gate for the tokens of one issuer.
func foreignGate(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote) *ForeignGate {
	t.Helper()
	gate, err := NewForeignGate(nil, time.Now, NewForeign(ForeignConfig{Issuer: issuer.url, Keys: keys}))
	if err != nil {
		t.Fatal(err)
	}
	return gate
}

// G11: an issuer that makes a new key under an old kid is believed again after one fetch.
func TestRemoteKeysFollowAKeyUnderAnOldID(t *testing.T) {
	inBubble(t, func(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote, _ *heard) {
		issuer.maxAge = time.Hour
		gate := foreignGate(t, issuer, keys)
		keys.Start()
		pass(time.Minute)
		old := issuer.mint(nil, nil)
		issuer.rotate(issuer.kid)
		if _, err := gate.CheckAccess(t.Context(), issuer.mint(nil, nil)); refusal(t, err) != oauth.ReasonBadSignature {
			t.Errorf("before the fetch: %v", err)
		}
		synctest.Wait()
		if _, err := gate.CheckAccess(t.Context(), issuer.mint(nil, nil)); err != nil {
			t.Errorf("after the fetch: %v", err)
		}
		// Forged tokens bring about one fetch in 30 s, as unknown keys do.
		for range 600 {
			if _, err := gate.CheckAccess(t.Context(), old); refusal(t, err) != oauth.ReasonBadSignature {
				t.Fatalf("a token by the old key: %v", err)
			}
			pass(time.Second)
		}
		if n := issuer.count(); n != 2+600/30 {
			t.Errorf("%d fetches in 10 minutes, want %d", n, 2+600/30)
		}
	})
}

// G11: back-off ends with the outage, as far as anybody asks.
func TestRemoteKeysAfterAnOutageAtTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote, _ *heard) {
		gate := foreignGate(t, issuer, keys)
		issuer.set("", errors.New("down"))
		for range 300 {
			if _, err := gate.CheckAccess(t.Context(), issuer.mint(nil, nil)); refusal(t, err) != oauth.ReasonIssuerKeys {
				t.Fatalf("while the issuer is away: %v", err)
			}
			pass(time.Second)
		}
		if n := issuer.count(); n > 151 {
			t.Errorf("%d fetches in 5 minutes, want one in 2 s", n)
		}
		issuer.set("", nil)
		_, _ = gate.CheckAccess(t.Context(), issuer.mint(nil, nil))
		pass(2 * time.Second)
		if _, err := gate.CheckAccess(t.Context(), issuer.mint(nil, nil)); err != nil {
			t.Errorf("2 s after the issuer is back: %v", err)
		}
	})
}

// G11: the first requests of a process wait for the first fetch, and no longer than 2 s.
func TestFirstRequestsWaitForKeys(t *testing.T) {
	for _, tt := range []struct {
		name       string
		takes      time.Duration
		fail       error
		waits      time.Duration
		want       oauth.Reason
		waitsAgain time.Duration
	}{
		{"400 ms", 400 * time.Millisecond, nil, 400 * time.Millisecond, "", 0},
		{"too long", 4 * time.Second, nil, 2 * time.Second, oauth.ReasonIssuerKeys, 2 * time.Second},
		{"an issuer that is away", 100 * time.Millisecond, errors.New("down"), 100 * time.Millisecond, oauth.ReasonIssuerKeys, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := newForeignIssuer(t, "https://a.example.com/", "1", time.Now)
				keys := jwks.NewRemote(jwks.RemoteConfig{Issuer: issuer.url, Fetch: func(ctx context.Context) ([]byte, time.Duration, error) {
					time.Sleep(tt.takes) // of the bubble's clock
					document, maxAge, err := issuer.fetch(ctx)
					return document, maxAge, errors.Join(err, tt.fail)
				}})
				defer keys.Close()
				gate := foreignGate(t, issuer, keys)
				for round, waits := range []time.Duration{tt.waits, tt.waitsAgain} {
					began := time.Now()
					_, err := gate.CheckAccess(t.Context(), issuer.mint(nil, nil))
					if waited := time.Since(began); waited != waits {
						t.Errorf("request %d waits for %s, want %s", round+1, waited, waits)
					}
					if round == 0 && refusal(t, err) != tt.want {
						t.Errorf("%v, want %q", err, tt.want)
					}
				}
			})
		})
	}
}

// Requests that outlive their configuration do not wait for what nobody fetches any more.
func TestNobodyWaitsForClosedKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote, _ *heard) {
		gate := foreignGate(t, issuer, keys)
		keys.Close()
		began := time.Now()
		if _, err := gate.CheckAccess(t.Context(), issuer.mint(nil, nil)); refusal(t, err) != oauth.ReasonIssuerKeys || time.Since(began) != 0 {
			t.Errorf("%v, after %s", err, time.Since(began))
		}
	})
}

// keptSet is a place where a key set outlasts a restart.
type keptSet struct {
	mu       sync.Mutex
	document []byte
	seen     time.Time
	saves    int
	fail     error
}

func (k *keptSet) Load(context.Context) ([]byte, time.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.document, k.seen, k.fail
}

func (k *keptSet) Save(_ context.Context, document []byte, seen time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.document, k.seen = document, seen
	k.saves++
	return k.fail
}

func (k *keptSet) Delete(context.Context) error {
	return k.Save(context.Background(), nil, time.Time{})
}

// G11: a restart while the issuer is away goes on with the keys of before, for 24 hours after it was last seen.
func TestRemoteKeysOutlastARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newForeignIssuer(t, "https://a.example.com/", "1", time.Now)
		kept, heard := &keptSet{}, &heard{}
		run := func() (*jwks.Remote, *ForeignGate) {
			keys := jwks.NewRemote(jwks.RemoteConfig{Issuer: issuer.url, Fetch: issuer.fetch, Observer: heard, Kept: kept})
			keys.Start()
			synctest.Wait()
			return keys, foreignGate(t, issuer, keys)
		}
		keys, _ := run()
		pass(10 * time.Hour)
		if kept.saves < 9 || kept.saves > 11 {
			t.Errorf("written %d times in 10 hours", kept.saves)
		}
		keys.Close()
		issuer.set("", errors.New("down"))
		token := func() string { return issuer.mint(nil, nil) }

		keys, gate := run()
		if _, err := gate.CheckAccess(t.Context(), token()); err != nil {
			t.Errorf("after a restart: %v", err)
		}
		keys.Close()
		pass(22 * time.Hour)
		keys, gate = run()
		if _, err := gate.CheckAccess(t.Context(), token()); err != nil {
			t.Errorf("22 hours later: %v", err)
		}
		keys.Close()
		pass(3 * time.Hour)
		keys, gate = run()
		if _, err := gate.CheckAccess(t.Context(), token()); refusal(t, err) != oauth.ReasonIssuerKeys {
			t.Errorf("25 hours later: %v", err)
		}
		keys.Close()
		// What says that it was seen tomorrow is not believed.
		kept.seen = time.Now().Add(time.Hour)
		keys, gate = run()
		if _, err := gate.CheckAccess(t.Context(), token()); refusal(t, err) != oauth.ReasonIssuerKeys {
			t.Errorf("a set of tomorrow: %v", err)
		}
		keys.Close()
		// A purge forgets what was kept as well.
		kept.seen = time.Now()
		keys, _ = run()
		keys.Purge()
		keys.Close()
		if kept.document != nil {
			t.Error("a purged set is kept")
		}
		// Where it cannot be kept, that is told, and nothing else happens.
		issuer.set("", nil)
		kept.fail = errors.New("disk full")
		heard.take()
		keys, gate = run()
		if _, err := gate.CheckAccess(t.Context(), token()); err != nil || heard.take() != "not_kept changed not_kept" {
			t.Errorf("with a full disk: %v", err)
		}
		keys.Close()
	})
}

// G11: a reload that fetches the keys elsewhere, or reads them otherwise, goes on with those that are there.
func TestRemoteKeysAreAdopted(t *testing.T) {
	b := newForeignBench(t)
	moved := jwks.NewRemote(jwks.RemoteConfig{Issuer: b.a.url, RSA: jose.PS256, Clock: b.clock, Fetch: func(context.Context) ([]byte, time.Duration, error) {
		return nil, 0, errors.New("down")
	}})
	moved.Adopt(b.keysB)
	moved.Adopt(b.keysA) // it has some already
	if _, err := b.route(b.configA(func(c *ForeignConfig) { c.Keys = moved })).Verify(b.a.mint(nil, nil)); refusal(t, err) != oauth.ReasonBadSignature {
		t.Errorf("the keys of the second: %v", err)
	}
	moved = jwks.NewRemote(jwks.RemoteConfig{Issuer: b.a.url, RSA: jose.PS256, Clock: b.clock})
	moved.Adopt(b.keysA)
	if _, err := b.route(b.configA(func(c *ForeignConfig) { c.Keys = moved })).Verify(b.a.mint(nil, nil)); err != nil {
		t.Errorf("after the move: %v", err)
	}
	if !moved.LastSeen().Equal(b.keysA.LastSeen()) {
		t.Error("the keys are younger for having been moved")
	}
}
