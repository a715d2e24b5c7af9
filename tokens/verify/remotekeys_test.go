package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

func refresh(tb testing.TB, k *jwks.Remote) {
	tb.Helper()
	if _, err := k.Refresh(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

// heard collects the outcomes of oauth.EventIssuerKeys.
type heard struct {
	mu       sync.Mutex
	outcomes []string
}

func (h *heard) Happened(_ context.Context, e oauth.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outcomes = append(h.outcomes, string(e.Outcome))
}

func (h *heard) Checked(oauth.Reason) {}

func (h *heard) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := strings.Join(h.outcomes, " ")
	h.outcomes = nil
	return all
}

// inBubble runs a test of the background work with a clock of its own.
func inBubble(t *testing.T, test func(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote, heard *heard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		issuer := newForeignIssuer(t, "https://a.example.com/", "1", time.Now)
		heard := &heard{}
		keys := jwks.NewRemote(jwks.RemoteConfig{Issuer: issuer.url, Fetch: issuer.fetch, Observer: heard})
		defer keys.Close()
		test(t, issuer, keys, heard)
	})
}

func pass(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}

func TestRemoteKeysHonourTheCacheHeader(t *testing.T) {
	for _, tt := range []struct{ says, want time.Duration }{
		{-1, 10 * time.Minute},
		{0, time.Minute},
		{15 * time.Second, time.Minute},
		{5 * time.Minute, 5 * time.Minute},
		{7 * 24 * time.Hour, time.Hour},
	} {
		t.Run(tt.says.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote, heard *heard) {
				issuer.maxAge = tt.says
				keys.Start()
				keys.Start()
				pass(tt.want - time.Nanosecond)
				if n := issuer.count(); n != 1 {
					t.Errorf("%d fetches before it is time", n)
				}
				pass(time.Nanosecond)
				if n := issuer.count(); n != 2 {
					t.Errorf("%d fetches when it is time", n)
				}
				if got := heard.take(); got != "changed unchanged" {
					t.Errorf("heard %q", got)
				}
			})
		})
	}
}

// KEY-01 and KEY-03: unknown keys bring about one fetch in 30 s, and nobody waits.
func TestAttackKEY01UnknownKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote, _ *heard) {
		issuer.maxAge = time.Hour
		v := New(Config{Issuer: testIssuer, Others: []*Foreign{NewForeign(ForeignConfig{Issuer: issuer.url, Keys: keys})}})
		keys.Start()
		synctest.Wait()
		good := issuer.mint(nil, nil)
		for second := range 600 {
			began := time.Now()
			for i := range 20 {
				_, err := v.Verify(issuer.mint(map[string]any{"kid": fmt.Sprint(second, "-", i)}, nil))
				if refusal(t, err) != oauth.ReasonUnknownKey {
					t.Fatalf("%v", err)
				}
			}
			if waited := time.Since(began); waited != 0 {
				t.Fatalf("requests waited for %s", waited)
			}
			if _, err := v.Verify(good); err != nil && second < 500 { // it lives for 10 minutes
				t.Fatalf("a good token: %v", err)
			}
			pass(time.Second)
		}
		if n := issuer.count(); n != 1+600/30 {
			t.Errorf("%d fetches in 10 minutes, want %d", n, 1+600/30)
		}
		// Tokens without a kid ask for nothing.
		pass(30 * time.Second)
		before := issuer.count()
		_, _ = v.Verify(issuer.mint(map[string]any{"kid": nil}, nil))
		pass(time.Minute)
		if n := issuer.count(); n != before {
			t.Errorf("%d fetches for a token without a kid", n-before)
		}
	})
}

// An unknown key is fetched at once, when the last fetch is long enough ago.
func TestRemoteKeysFollowARotation(t *testing.T) {
	inBubble(t, func(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote, _ *heard) {
		v := New(Config{Issuer: testIssuer, Others: []*Foreign{NewForeign(ForeignConfig{Issuer: issuer.url, Keys: keys})}})
		keys.Start()
		pass(time.Minute)
		issuer.rotate("2")
		token := issuer.mint(nil, nil)
		if _, err := v.Verify(token); refusal(t, err) != oauth.ReasonUnknownKey {
			t.Errorf("before the fetch: %v", err)
		}
		synctest.Wait()
		if _, err := v.Verify(token); err != nil {
			t.Errorf("after the fetch: %v", err)
		}
	})
}

// the last good set is kept for 24 hours, and no longer. That no set is
// worse than the one before is in TestAttackKEY04BadSets, how soon a new key is
// found in TestRemoteKeysFollowARotation.
func TestRemoteKeysKeepTheLastGoodSet(t *testing.T) {
	inBubble(t, func(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote, heard *heard) {
		v := New(Config{Issuer: testIssuer, Others: []*Foreign{NewForeign(ForeignConfig{Issuer: issuer.url, Keys: keys})}})
		verify := func() error { _, err := v.Verify(issuer.mint(nil, nil)); return err }
		if err := verify(); refusal(t, err) != oauth.ReasonIssuerKeys || oauth.AsError(err).Code != oauth.TemporarilyUnavailable || oauth.AsError(err).RetryAfter == 0 {
			t.Errorf("before the first fetch: %v", err)
		}
		synctest.Wait() // the token has started it
		if err := verify(); err != nil {
			t.Errorf("after the first fetch: %v", err)
		}
		issuer.set("", errors.New("down"))
		pass(23 * time.Hour)
		if err := verify(); err != nil {
			t.Errorf("after a day's outage: %v", err)
		}
		if got := heard.take(); !strings.HasPrefix(got, "changed unreachable ") || strings.Contains(got, string(oauth.KeysStale)) {
			t.Errorf("heard %q", got)
		}
		pass(2 * time.Hour)
		if err := verify(); refusal(t, err) != oauth.ReasonIssuerKeys {
			t.Errorf("after more than a day: %v", err)
		}
		if got := heard.take(); !strings.Contains(got, string(oauth.KeysStale)) {
			t.Errorf("heard %q", got)
		}
		issuer.set("", nil)
		pass(5 * time.Minute)
		if err := verify(); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

// Without any keys the first tries follow quickly, and then not so quickly.
func TestRemoteKeysRetry(t *testing.T) {
	inBubble(t, func(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote, _ *heard) {
		issuer.set("", errors.New("down"))
		keys.Start()
		pass(time.Minute)
		if n := issuer.count(); n != 5 { // after 0, 2, 6, 14 and 30 s
			t.Errorf("%d tries in the first minute", n)
		}
		pass(time.Hour)
		if n := issuer.count(); n > 5+61 {
			t.Errorf("%d tries in an hour", n)
		}
		if !keys.LastSeen().IsZero() {
			t.Errorf("seen at %s", keys.LastSeen())
		}
	})
}

// KEY-04 and JWT-15 to 18: what is no good set leaves the one before.
func TestAttackKEY04BadSets(t *testing.T) {
	good := newForeignIssuer(t, "https://a.example.com/", "1", time.Now)
	other := newForeignIssuer(t, "https://a.example.com/", "1", time.Now)
	many := make([]string, 101)
	for i := range many {
		other.kid = fmt.Sprint(i)
		many[i] = other.jwk("")
	}
	other.kid = "1"
	for _, tt := range []struct {
		name, answer string
		fail         error
		want         oauth.Outcome
	}{
		{"HTML", "<html>", nil, oauth.KeysRefused},
		{"empty", " ", nil, oauth.KeysRefused},
		{"null", "null", nil, oauth.KeysRefused},
		{"no keys", `{"keys":[]}`, nil, oauth.KeysRefused},
		{"101 keys", jwkSet(many...), nil, oauth.KeysRefused},
		{"more than 1 MiB", `{"keys":[` + other.jwk("") + `],"x":"` + strings.Repeat("x", 1<<20) + `"}`, nil, oauth.KeysRefused},
		{"JWT-15 one kid twice", jwkSet(good.jwk(""), other.jwk("")), nil, oauth.KeysRefused},
		{"JWT-16 a shared secret alone", `{"keys":[{"kty":"oct","k":"AAAA","kid":"1","alg":"HS256"}]}`, nil, oauth.KeysRefused},
		{"JWT-17 for encryption", jwkSet(other.jwk(`,"use":"enc"`)), nil, oauth.KeysRefused},
		{"JWT-17 not for verifying", jwkSet(other.jwk(`,"key_ops":["sign"]`)), nil, oauth.KeysRefused},
		{"the private key", jwkSet(other.jwk(`,"d":"AAAA"`)), nil, oauth.KeysRefused},
		{"JWT-18 a weak key", `{"keys":[{"kty":"RSA","kid":"1","n":"` + strings.Repeat("AQAB", 32) + `","e":"AQAB"}]}`, nil, oauth.KeysRefused},
		{"DOS-08 a huge key", `{"keys":[{"kty":"RSA","kid":"1","n":"` + strings.Repeat("_wAB", 700) + `","e":"AQAB"}]}`, nil, oauth.KeysRefused},
		{"not reached", "", errors.New("down"), oauth.KeysUnreachable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			good.set("", nil)
			heard := &heard{}
			keys := good.keys(heard)
			seen := keys.LastSeen()
			good.set(tt.answer, tt.fail)
			if _, err := keys.Refresh(t.Context()); err == nil {
				t.Error("it is taken")
			}
			if got := heard.take(); got != "changed "+string(tt.want) {
				t.Errorf("heard %q", got)
			}
			if !keys.LastSeen().Equal(seen) {
				t.Error("a bad answer makes the keys look fresh")
			}
			v := New(Config{Issuer: testIssuer, Others: []*Foreign{NewForeign(ForeignConfig{Issuer: good.url, Keys: keys})}})
			if _, err := v.Verify(good.mint(nil, nil)); err != nil {
				t.Errorf("a good token: %v", err)
			}
		})
	}
}

// JWT-16 and JWT-17: keys that are not for us do not spoil those that are.
func TestAttackJWT16MixedSet(t *testing.T) {
	issuer := newForeignIssuer(t, "https://a.example.com/", "1", time.Now)
	enc := newForeignIssuer(t, "https://a.example.com/", "enc", time.Now)
	issuer.set(jwkSet(`{"kty":"oct","k":"c2VjcmV0","kid":"oct","alg":"HS256"}`, enc.jwk(`,"use":"enc"`), issuer.jwk(`,"use":"sig","alg":"ES256","x5c":["x"]`)), nil)
	v := New(Config{Issuer: testIssuer, Others: []*Foreign{NewForeign(ForeignConfig{Issuer: issuer.url, Keys: issuer.keys(nil)})}})
	for name, tt := range map[string]struct {
		token string
		want  oauth.Reason
	}{
		"the signing key":    {issuer.mint(nil, nil), ""},
		"the encryption key": {enc.mint(nil, nil), oauth.ReasonUnknownKey},
		"the shared secret":  {issuer.mint(map[string]any{"kid": "oct", "alg": "HS256"}, nil), oauth.ReasonUnknownKey},
	} {
		if _, err := v.Verify(tt.token); refusal(t, err) != tt.want {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestRemoteKeysEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := make(chan struct{})
		keys := jwks.NewRemote(jwks.RemoteConfig{Fetch: func(ctx context.Context) ([]byte, time.Duration, error) {
			close(began)
			<-ctx.Done()
			return nil, 0, ctx.Err()
		}})
		keys.Start()
		<-began
		keys.Close() // which the bubble would not survive if a goroutine stayed
		keys.Close()
		keys.Start()
	})
}

func TestRemoteKeysSurviveAPanic(t *testing.T) {
	inBubble(t, func(t *testing.T, issuer *foreignIssuer, _ *jwks.Remote, heard *heard) {
		calls := 0
		keys := jwks.NewRemote(jwks.RemoteConfig{Issuer: issuer.url, Observer: heard, Fetch: func(ctx context.Context) ([]byte, time.Duration, error) {
			if calls++; calls == 1 {
				panic("a fault")
			}
			return issuer.fetch(ctx)
		}})
		defer keys.Close()
		keys.Start()
		pass(2 * time.Second)
		if got := heard.take(); got != "issuer_keys changed" {
			t.Errorf("heard %q", got)
		}
	})
}

// A fetch takes 5 s at most.
func TestRemoteKeysTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := &heard{}
		keys := jwks.NewRemote(jwks.RemoteConfig{Observer: heard, Fetch: func(ctx context.Context) ([]byte, time.Duration, error) {
			<-ctx.Done()
			return nil, 0, ctx.Err()
		}})
		defer keys.Close()
		keys.Start()
		pass(jwks.KeyFetchTimeout)
		if got := heard.take(); got != string(oauth.KeysUnreachable) {
			t.Errorf("heard %q", got)
		}
	})
}

// KEY-07: a purge forgets the keys at once and fetches anew without the usual pause.
func TestAttackKEY07Purge(t *testing.T) {
	inBubble(t, func(t *testing.T, issuer *foreignIssuer, keys *jwks.Remote, heard *heard) {
		issuer.maxAge = time.Hour
		v := New(Config{Issuer: testIssuer, Others: []*Foreign{NewForeign(ForeignConfig{Issuer: issuer.url, Keys: keys})}})
		keys.Start()
		synctest.Wait()
		stolen := issuer.mint(nil, nil)
		if _, err := v.Verify(stolen); err != nil {
			t.Fatal(err)
		}
		issuer.rotate("2")
		if _, err := v.Verify(stolen); err != nil {
			t.Fatalf("before the purge: %v", err)
		}
		keys.Purge()
		if _, err := v.Verify(stolen); err == nil {
			t.Error("a token passes without keys")
		}
		synctest.Wait()
		if _, err := v.Verify(stolen); refusal(t, err) != oauth.ReasonUnknownKey {
			t.Errorf("after the purge: %v", err)
		}
		if _, err := v.Verify(issuer.mint(nil, nil)); err != nil {
			t.Errorf("a token by the new key: %v", err)
		}
		if n := issuer.count(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

// What a fetch brings that was under way when the keys were purged is not trusted.
func TestPurgeBeatsFetchUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newForeignIssuer(t, "https://a.example.com/", "1", time.Now)
		fetching, proceed := make(chan struct{}), make(chan struct{})
		keys := jwks.NewRemote(jwks.RemoteConfig{Issuer: issuer.url, Fetch: func(ctx context.Context) ([]byte, time.Duration, error) {
			document, maxAge, err := issuer.fetch(ctx)
			fetching <- struct{}{}
			<-proceed
			return document, maxAge, err
		}})
		defer keys.Close()
		stolen := issuer.mint(nil, nil)
		keys.Start()
		<-fetching // the issuer has shown its first key
		issuer.rotate("2")
		keys.Purge()
		proceed <- struct{}{}
		<-fetching // anew, at once
		if keys.Trusted(time.Now()) != nil {
			t.Error("the set from before the purge is held")
		}
		proceed <- struct{}{}
		synctest.Wait()
		v := New(Config{Issuer: testIssuer, Others: []*Foreign{NewForeign(ForeignConfig{Issuer: issuer.url, Keys: keys})}})
		if _, err := v.Verify(stolen); refusal(t, err) != oauth.ReasonUnknownKey {
			t.Errorf("error %v", err)
		}
	})
}
