package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var openCases = []testCase{
	{"born once", openBorn},
	{"longest token lifetime", openLifetime},
	{"wrong secret", openWrongSecret},
	{"changing the secret", openChangedSecret},
	{"A10: another issuer", openOtherIssuer},
	{"A10: changing the issuer", openChangedIssuer},
	{"closed", openClosed},
	{"cancelled", openCancelled},
	{"time never runs backwards", openTime},
	{"keys", keysSwap},
	{"keys concurrently", keysConcurrently},
}

func openBorn(t *testing.T, f *fixture) {
	first := f.open(secret)
	if now := f.now(); first.Born.IsZero() || first.Born.After(now) || first.Born.Before(now.Add(-time.Minute)) {
		t.Errorf("born %v, now %v", first.Born, now)
	}
	f.pass(2 * time.Second)
	f.closeAndReplace()
	if again := f.open(secret); !again.Born.Equal(first.Born) {
		t.Errorf("born %v, then %v", first.Born, again.Born)
	}
}

func openLifetime(t *testing.T, f *fixture) {
	want := func(ask, want time.Duration) {
		t.Helper()
		res := Must(f.s.Open(f.ctx(), storage.OpenRequest{Secrets: [][16]byte{secret}, TokenLifetime: ask}))(t)
		if res.TokenLifetime != want {
			t.Errorf("token lifetime %v, want %v", res.TokenLifetime, want)
		}
	}
	want(5*time.Minute, 10*time.Minute)
	want(time.Hour, time.Hour)
	f.closeAndReplace()
	want(time.Minute, time.Hour)
}

// tryOpen opens the store with some secrets.
func (f *fixture) tryOpen(secrets ...[16]byte) error {
	_, err := f.s.Open(f.ctx(), storage.OpenRequest{Secrets: secrets, TokenLifetime: time.Minute})
	return err
}

func openWrongSecret(t *testing.T, f *fixture) {
	stranger := [16]byte{99}
	family := f.family()
	// While it is open for others, and after a restart.
	if err := f.tryOpen(stranger); !errors.Is(err, storage.ErrWrongSecret) {
		t.Errorf("open with another secret: %v", err)
	}
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.closeAndReplace()
	if err := f.tryOpen(stranger, [16]byte{98}); !errors.Is(err, storage.ErrWrongSecret) {
		t.Errorf("open with other secrets: %v", err)
	}
	NoError(t, f.tryOpen(secret)) // no damage
	f.rotate(f.present(family, 2), storage.Rotated, 3)
}

func openChangedSecret(t *testing.T, f *fixture) {
	before, after := secret, [16]byte{2}
	for _, secrets := range [][][16]byte{{before, after}, {before, after}, {after, before}, {after}} {
		f.closeAndReplace()
		if err := f.tryOpen(secrets...); err != nil {
			t.Fatalf("open with %v: %v", secrets, err)
		}
	}
	// The old one is no key to the store any more.
	if err := f.tryOpen(before); !errors.Is(err, storage.ErrWrongSecret) {
		t.Errorf("open with the secret that was given up: %v", err)
	}
}

// tryIssuers opens the store for some issuers.
func (f *fixture) tryIssuers(issuers ...string) error {
	_, err := f.s.Open(f.ctx(), storage.OpenRequest{Secrets: [][16]byte{secret}, Issuers: issuers, TokenLifetime: time.Minute})
	return err
}

const issuerA, issuerB, issuerC = "https://a.example/", "https://b.example/", "https://b.example"

// isOther reports whether an error says that the store is one of these issuers.
func isOther(err error, owners ...string) bool {
	var other *storage.OtherIssuerError
	return errors.As(err, &other) && slices.Equal(other.Issuers, owners)
}

// Two issuers shared a store, and tokens and sessions of one were good at the other.
func openOtherIssuer(t *testing.T, f *fixture) {
	family := f.family()
	NoError(t, f.tryIssuers(issuerA)) // it was nobody's, and is A's from now on
	for _, strangers := range [][]string{{issuerB}, {"https://a.example"}, {issuerB, issuerC}, nil} {
		if err := f.tryIssuers(strangers...); !isOther(err, issuerA) || !strings.Contains(err.Error(), "`previous_issuer "+issuerA+"`") {
			t.Errorf("open for %v: %v", strangers, err)
		}
	}
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.closeAndReplace()
	if err := f.tryIssuers(issuerB); !isOther(err, issuerA) {
		t.Errorf("open for another issuer after a restart: %v", err)
	}
	NoError(t, f.tryIssuers(issuerA)) // no damage
	f.rotate(f.present(family, 2), storage.Rotated, 3)
	if err := f.tryOpen([16]byte{99}); !errors.Is(err, storage.ErrWrongSecret) {
		t.Errorf("the owner is named to somebody without the secret: %v", err)
	}
}

func openChangedIssuer(t *testing.T, f *fixture) {
	NoError(t, f.tryIssuers(issuerA))
	// One gateway after the other, some started anew meanwhile, and back.
	for _, issuers := range [][]string{{issuerB, issuerA}, {issuerA}, {issuerB, issuerA}, {issuerB, issuerA}} {
		f.closeAndReplace()
		res, err := f.s.Open(f.ctx(), storage.OpenRequest{Secrets: [][16]byte{secret}, Issuers: issuers, TokenLifetime: time.Minute})
		if err != nil || !slices.Contains(res.Issuers, issuerA) {
			t.Fatalf("open for %v: %v, %v", issuers, res.Issuers, err)
		}
	}
	NoError(t, f.tryIssuers(issuerB))
	if err := f.tryIssuers(issuerA); !isOther(err, issuerB) {
		t.Errorf("open for the issuer that it was: %v", err)
	}
}

func openClosed(t *testing.T, f *fixture) {
	want := func() {
		t.Helper()
		if _, err := f.s.Rotate(f.ctx(), f.present(storage.Family{}, 1)); err == nil {
			t.Error("Rotate on a store that is not open: no error")
		}
		if _, err := f.s.Denials(f.ctx(), []storage.UserTag{f.user}); err == nil {
			t.Error("Denials on a store that is not open: no error")
		}
		if _, _, _, err := f.s.Session(f.ctx(), f.user, f.session.ID, 0, storage.ClientTag{}); err == nil {
			t.Error("Session on a store that is not open: no error")
		}
	}
	NoError(t, f.s.Close())
	want()
	NoError(t, f.s.Close()) // again is no error
	f.s = f.h.Reopen(t)
	want()
}

func openCancelled(t *testing.T, f *fixture) {
	family := f.family()
	ctx, cancel := context.WithCancel(f.ctx())
	cancel()
	if _, err := f.s.Rotate(ctx, f.present(family, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Rotate with a context that has ended: %v", err)
	}
	if _, err := f.s.Denials(ctx, []storage.UserTag{f.user}); !errors.Is(err, context.Canceled) {
		t.Errorf("Denials with a context that has ended: %v", err)
	}
}

func openTime(t *testing.T, f *fixture) {
	if now := f.now(); now.Truncate(time.Millisecond) != now {
		t.Errorf("time %v, want milliseconds", now)
	}
	Concurrently(4, func(int) {
		last, err := f.s.Now(f.ctx())
		for range 100 {
			now, again := f.s.Now(f.ctx())
			if err != nil || again != nil || now.Before(last) {
				t.Errorf("time %v after %v (%v, %v)", now, last, err, again)
				return
			}
			last = now
		}
	})
}

func keysSwap(t *testing.T, f *fixture) {
	want := func(value string, version uint64) {
		t.Helper()
		sealed, got, err := f.s.Keys(f.ctx())
		if err != nil || string(sealed) != value || got != version {
			t.Errorf("keys %q version %d (%v), want %q version %d", sealed, got, err, value, version)
		}
	}
	swap := func(version uint64, value string, want bool) {
		t.Helper()
		if got := Must(f.s.SwapKeys(f.ctx(), version, []byte(value)))(t); got != want {
			t.Errorf("swap of version %d: %v, want %v", version, got, want)
		}
	}
	want("", 0)
	swap(1, "early", false)
	swap(0, "first", true)
	want("first", 1)
	swap(0, "late", false)
	swap(1, "second", true)
	swap(1, "second", true) // the same call sent again
	want("second", 2)
	f.reopen()
	want("second", 2)
}

func keysConcurrently(t *testing.T, f *fixture) {
	for version := range uint64(5) {
		var won atomic.Int32
		Concurrently(20, func(i int) {
			swapped, err := f.s.SwapKeys(f.ctx(), version, fmt.Appendf(nil, "%d by %d", version, i))
			if err != nil {
				t.Errorf("SwapKeys: %v", err)
			}
			if swapped {
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d of 20 swapped, want 1", won.Load())
		}
	}
}
