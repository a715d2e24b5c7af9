package verify

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"testing"
	"time"
)

// heapGoal returns how far the heap may grow until it is collected, in bytes: the
// memory of a process that is not overtaken by its garbage. It is reckoned, for
// the runtime's own goal is 4 MiB at least, which hides what a small heap grows by.
func heapGoal() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return 2 * int64(m.HeapAlloc) // GOGC=100
}

// DOS-10: however many tokens are verified, of whatever issuer and shape, the
// process grows by the bound of the cache and no more than a fifth.
func TestAttackDOS10VerifiedCacheMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills caches of 8 MiB")
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
		{"usual", nil, 6_250},
		{"roles", map[string]any{"roles": texts}, 1_000},
		{"numbers", map[string]any{"n": numbers}, 500},
		{"objects", map[string]any{"o": objects}, 375},
		{"members", many, 1_000},
	} {
		for _, mode := range []string{"own", "own, looked up", "foreign"} {
			t.Run(tc.name+", "+mode, func(t *testing.T) { fillVerifiedCache(t, tc.claims, mode, tc.tokens) })
		}
	}
}

func fillVerifiedCache(t *testing.T, more map[string]any, mode string, tokens int) {
	const bound = 8 << 20
	cache, err := NewCache(bound)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	foreign := NewForeign(ForeignConfig{Issuer: "https://auth.example.com/"})
	before := heapGoal()
	now := time.Now().Unix()
	payload := map[string]any{
		"iss": "https://auth.example.com/", "aud": "https://api.example.com", "client_id": "my-spa",
		"scope": "openid profile orders:read orders:write offline_access", "iat": now, "exp": now + 600,
		"auth_time": now, "acr": "pwd", "sid": "0123456789abcdef", claimFamily: "0123456789abcdef0123456789abcdef",
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
	grown := heapGoal() - before
	t.Logf("from %d MiB grew by %d MiB with a bound of %d MiB, %d MiB of it charged", before>>20, grown>>20, bound>>20, cache.Bytes()>>20)
	if grown > bound*12/10 {
		t.Error("that is more than a fifth beyond the bound")
	}
	runtime.KeepAlive(cache)
}
