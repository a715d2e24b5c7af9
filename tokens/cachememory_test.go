package tokens

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// memoryHeld returns what the Go runtime holds of the system's memory, in bytes.
func memoryHeld() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}

// DOS-10: however many tokens are verified, of whatever issuer and shape, the
// process grows by the bound of the cache and no more than a fifth.
func TestAttackDOS10VerifiedCacheMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills a cache of 64 MiB")
	}
	texts, numbers, objects := make([]string, 200), make([]int, 1000), make([]map[string]int, 200)
	for i := range texts {
		texts[i], objects[i] = fmt.Sprintf("role-%d", i), map[string]int{"a": i}
	}
	many := make(map[string]any)
	for i := range 113 { // as many as fill a map, and one
		many[fmt.Sprintf("m%d", i)] = i
	}
	for _, tc := range []struct {
		name   string
		claims map[string]any
		tokens int
	}{
		{"usual", nil, 50_000},
		{"roles", map[string]any{"roles": texts}, 8_000},
		{"numbers", map[string]any{"n": numbers}, 4_000},
		{"objects", map[string]any{"o": objects}, 3_000},
		{"members", many, 8_000},
	} {
		for _, mode := range []string{"own", "own, looked up", "foreign"} {
			t.Run(tc.name+", "+mode, func(t *testing.T) { fillVerifiedCache(t, tc.claims, mode, tc.tokens) })
		}
	}
}

func fillVerifiedCache(t *testing.T, more map[string]any, mode string, tokens int) {
	const bound = 64 << 20
	cache, err := NewCache(bound)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	foreign := NewForeign(ForeignConfig{Issuer: "https://auth.example.com/"})
	debug.FreeOSMemory()
	before := memoryHeld()
	now := time.Now().Unix()
	payload := map[string]any{
		"iss": "https://auth.example.com/", "aud": "https://api.example.com", "client_id": "my-spa",
		"scope": "openid profile orders:read orders:write offline_access", "iat": now, "exp": now + 600,
		"auth_time": now, "acr": "pwd", "sid": "0123456789abcdef", ClaimFamily: "0123456789abcdef0123456789abcdef",
	}
	maps.Copy(payload, more)
	for i := range tokens {
		payload["sub"], payload["jti"] = fmt.Sprintf("local|user-%d", i), fmt.Sprintf("0123456789abcdef%06d", i)
		b, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		read := parseClaims
		if mode == "foreign" {
			read = func(b []byte) (*Claims, error) { return foreign.readClaims(b, true) }
		}
		claims, err := read(b)
		if err != nil {
			t.Fatal(err)
		}
		if mode == "own, looked up" {
			claims.Lookup("email")
		}
		cache.Put(fmt.Sprintf("%s.%d", b, i), claims)
	}
	grown := memoryHeld() - before
	t.Logf("grew by %d MiB with a bound of %d MiB, %d MiB of it charged", grown>>20, bound>>20, cache.Bytes()>>20)
	if grown > bound*12/10 {
		t.Error("that is more than a fifth beyond the bound")
	}
	runtime.KeepAlive(cache)
}
