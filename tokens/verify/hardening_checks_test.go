package verify

import (
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

func TestAttackJWT32Leeway(t *testing.T) {
	b := newTokenBench(t)
	for _, tt := range []struct {
		leeway time.Duration
		offset int64 // seconds from now
		exp    oauth.Reason
		iat    oauth.Reason
	}{
		{0, -1, oauth.ReasonExpired, ""},
		{0, 1, "", oauth.ReasonNotYetValid},
		{oauth.DefaultLeeway, -11, oauth.ReasonExpired, ""},
		{oauth.DefaultLeeway, -9, "", ""},
		{oauth.DefaultLeeway, 10, "", ""},
		{oauth.DefaultLeeway, 11, "", oauth.ReasonNotYetValid},
		{time.Hour, -61, oauth.ReasonExpired, ""}, // cut to a minute
		{time.Hour, 61, "", oauth.ReasonNotYetValid},
		{-time.Hour, -1, oauth.ReasonExpired, ""},
	} {
		v := New(Config{Issuer: testIssuer, Keys: b.keys, Clock: b.clock, Leeway: tt.leeway})
		at := b.now.Unix() + tt.offset
		_, err := v.Verify(b.mint(nil, map[string]any{"exp": at}))
		if got := reasonOf(t, err); got != tt.exp {
			t.Errorf("leeway %v, exp %+d s: %q, want %q", tt.leeway, tt.offset, got, tt.exp)
		}
		for _, name := range []string{"iat", "nbf"} {
			_, err = v.Verify(b.mint(nil, map[string]any{name: at}))
			if got := reasonOf(t, err); got != tt.iat {
				t.Errorf("leeway %v, %s %+d s: %q, want %q", tt.leeway, name, tt.offset, got, tt.iat)
			}
		}
	}
}

func TestAttackJWT44And45OnTheCache(t *testing.T) {
	b := newTokenBench(t)
	good := b.mint(nil, map[string]any{"padding": strings.Repeat("a", 200)})
	if _, err := b.verifier.Verify(good); err != nil {
		t.Fatal(err)
	}
	b.cache.entries.Wait()
	parts := strings.Split(good, ".")
	payload := b.json(b.claims(map[string]any{"padding": strings.Repeat("a", 200)}))
	admin := tokenstest.Segment(strings.Replace(payload, "local|alice", "local|admin", 1))
	other := b.mint(nil, map[string]any{"padding": strings.Repeat("a", 200), "sub": "local|bob"})
	runAttacks(t, b, []attack{
		{"JWT-44 same first and last letters and jti, other payload", parts[0] + "." + admin + "." + parts[2], oauth.ReasonBadSignature},
		{"JWT-45 one byte changed after caching", parts[0] + "." + tokenstest.Segment(strings.Replace(payload, "aaa", "aba", 1)) + "." + parts[2], oauth.ReasonBadSignature},
		{"JWT-45 signature changed after caching", good[:len(good)-10] + nextLetter(good[:len(good)-9]) + good[len(good)-9:], oauth.ReasonBadSignature},
	})
	c, err := b.verifier.Verify(other)
	if err != nil || c.Subject != "local|bob" {
		t.Errorf("same jti, other subject: %v, %v", c, err)
	}
}

func TestAttackJWT56OnTheSignature(t *testing.T) {
	b := newTokenBench(t)
	good := b.mint(nil, nil)
	dot := strings.LastIndexByte(good, '.')
	input, signature := good[:dot], good[dot+1:]
	rs, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	n := elliptic.P256().Params().N
	r, s := new(big.Int).SetBytes(rs[:32]), new(big.Int).SetBytes(rs[32:])
	form := func(r, s *big.Int) string {
		return input + "." + tokenstest.Segment(string(r.FillBytes(make([]byte, 32)))+string(s.FillBytes(make([]byte, 32))))
	}
	zero, below := new(big.Int), new(big.Int).Sub(n, big.NewInt(1))
	runAttacks(t, b, []attack{
		{"JWT-56 the other s", form(r, new(big.Int).Sub(n, s)), ""},
		{"JWT-56 r and s 0", form(zero, zero), oauth.ReasonBadSignature},
		{"JWT-56 r 0", form(zero, s), oauth.ReasonBadSignature},
		{"JWT-56 s 0", form(r, zero), oauth.ReasonBadSignature},
		{"JWT-56 r n", form(n, s), oauth.ReasonBadSignature},
		{"JWT-56 s n", form(r, n), oauth.ReasonBadSignature},
		{"JWT-56 r n-1", form(below, s), oauth.ReasonBadSignature},
		{"JWT-56 s n-1", form(r, below), oauth.ReasonBadSignature},
		{"JWT-56 DER", input + "." + tokenstest.Segment("\x30\x44\x02\x20"+string(rs[:32])+"\x02\x20"+string(rs[32:])), oauth.ReasonBadSignature},
		{"JWT-56 63 bytes", input + "." + tokenstest.Segment(string(rs[:63])), oauth.ReasonBadSignature},
		{"JWT-56 65 bytes", input + "." + tokenstest.Segment(string(rs)+"\x00"), oauth.ReasonBadSignature},
		{"JWT-56 1 byte", input + ".AA", oauth.ReasonBadSignature},
	})
}

// JWT-22, 24, 25 and 30: hostile tokens cost little time and memory.
func TestAttacksAreRefusedCheaply(t *testing.T) {
	b := newTokenBench(t)
	header := b.json(b.header(nil))
	fill := func(unit, end string) string {
		room := (oauth.MaxTokenBytes - len(tokenstest.Segment(header)) - 100) * 3 / 4
		return b.sign(header, `{"x":`+strings.Repeat(unit, (room-8)/len(unit))+end)
	}
	var members strings.Builder
	for i := range 700 {
		fmt.Fprintf(&members, `"%d":0,`, i)
	}
	for name, token := range map[string]string{
		"JWT-22 dots":            strings.Repeat(".", oauth.MaxTokenBytes),
		"JWT-22 many megabytes":  strings.Repeat("A.", 8<<20),
		"JWT-24 PBES2":           tokenstest.Segment(`{"alg":"PBES2-HS256+A128KW","p2c":2000000000,"p2s":"AAAA","enc":"A128GCM"}`) + ".AAAA.AAAA.AAAA.AAAA",
		"JWT-25 zip":             tokenstest.Segment(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`) + ".." + strings.Repeat("A", 6000) + ".A.A",
		"JWT-30 open arrays":     fill("[", ""),
		"JWT-30 open objects":    fill(`{"":`, ""),
		"JWT-30 members":         b.sign(header, "{"+members.String()+`"x":0}`),
		"JWT-30 long number":     fill("9", "}"),
		"JWT-30 escapes":         fill(`"\u0061",`, "}"),
		"JWT-30 long string":     fill("a", "}"),
		"JWT-30 array of arrays": fill("[[]],", "}"),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			best := time.Hour
			runtime.ReadMemStats(&before)
			const rounds = 10
			for range rounds {
				start := time.Now()
				if _, err := b.verifier.Verify(token); reasonOf(t, err) == "" {
					t.Fatal("accepted")
				}
				best = min(best, time.Since(start))
			}
			runtime.ReadMemStats(&after)
			if bytes := (after.TotalAlloc - before.TotalAlloc) / rounds; bytes > 96<<10 { // read once to refuse it, and once more to say why
				t.Errorf("%d bytes per token", bytes)
			}
			if best > 5*time.Millisecond {
				t.Errorf("%v per token", best)
			}
		})
	}
}
