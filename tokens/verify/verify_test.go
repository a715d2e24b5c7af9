package verify

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

func TestVerify(t *testing.T) {
	b := newTokenBench(t)
	family := storage.FamilyID{7}
	token := b.mint(nil, map[string]any{
		"aud": []string{"https://api.example.com", "https://other.example.com"}, "auth_time": b.now.Unix() - 60, "acr": "urn:x", "sid": "S",
		"nbf": b.now.Unix(), claimFamily: family.String(), "cnf": map[string]any{"jkt": rfc9449Thumbprint}, "nonce": "N",
		"org": map[string]any{"id": json.Number("12345678901234567890"), "roles": []string{"a"}}, "https://example.com/roles": "x", "admin": true, "null": nil,
	})
	for _, round := range []string{"miss", "hit"} {
		c, err := b.verifier.Verify(token)
		if err != nil {
			t.Fatalf("%s: %v", round, err)
		}
		b.cache.entries.Wait()
		if c.Issuer != testIssuer || c.Subject != "local|alice" || len(c.Audience) != 2 || c.ClientID != "my-spa" || len(c.Scope) != 2 ||
			!c.HasTokenID || c.TokenID != (storage.TokenID{1}) || !c.Expiry.Equal(b.now.Add(10*time.Minute)) || !c.IssuedAt.Equal(b.now) ||
			!c.NotBefore.Equal(b.now) || !c.AuthTime.Equal(b.now.Add(-time.Minute)) || c.ACR != "urn:x" || c.SessionID != "S" ||
			c.Nonce != "N" || !c.HasFamily || c.Family != family || c.Confirmation.Key.String() != rfc9449Thumbprint ||
			c.User != storage.TagSubject("local|alice") || c.Client != storage.TagClient("my-spa") {
			t.Errorf("%s: claims %+v", round, c)
		}
		for path, want := range map[string]string{
			"sub": "local|alice", "org.id": "12345678901234567890", "org.roles": "[a]", "https://example.com/roles": "x", "admin": "true",
		} {
			if v, ok := c.Lookup(path); !ok || fmt.Sprint(v) != want {
				t.Errorf("%s: claim %s is %v, %v", round, path, v, ok)
			}
		}
		for _, path := range []string{"", "nope", "org.", "org.nope", "sub.x", ".org", "SUB", "."} {
			if v, ok := c.Lookup(path); ok {
				t.Errorf("%s: claim %q is %v", round, path, v)
			}
		}
		if c.Size() < int64(len(token)) {
			t.Errorf("size %d", c.Size())
		}
	}
}

func TestVerifyAllAlgorithms(t *testing.T) {
	algs := []jose.Algorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.RS256, jose.PS256}
	b := newTokenBench(t, algs...)
	for _, alg := range algs {
		token, err := jose.Sign(b.signer(alg), TypeAccessToken, []byte(b.json(b.claims(nil))))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.verifier.Verify(token); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		// The header may not choose: each of the others with this key's ID.
		for _, other := range algs {
			if other == alg {
				continue
			}
			h := b.json(map[string]any{"typ": TypeAccessToken, "alg": other, "kid": b.signer(alg).ID()})
			forged := tokenstest.Segment(h) + token[strings.IndexByte(token, '.'):]
			if _, err := b.verifier.Verify(forged); reasonOf(t, err) != oauth.ReasonBadSignature {
				t.Errorf("%s under %s: %v", other, alg, err)
			}
		}
	}
}

func TestVerifyIDToken(t *testing.T) {
	b := newTokenBench(t)
	id := func(header, claims map[string]any) string {
		h, c := map[string]any{"typ": "JWT"}, map[string]any{"client_id": nil, "jti": nil, "scope": nil}
		maps.Copy(h, header)
		maps.Copy(c, claims)
		return b.mint(h, c)
	}
	tests := []struct {
		name  string
		token string
		want  oauth.Reason
	}{
		{"good", id(nil, nil), ""},
		{"expired", id(nil, map[string]any{"exp": b.now.Unix() - 86400, "iat": b.now.Unix() - 90000}), ""},
		{"access token", b.mint(nil, nil), oauth.ReasonWrongType},
		{"P9: access token of Auth0's form", id(nil, map[string]any{"token_use": "access"}), oauth.ReasonWrongType},
		{"P9: another use", id(nil, map[string]any{"token_use": "id"}), oauth.ReasonWrongType},
		{"no type", id(map[string]any{"typ": nil}, nil), oauth.ReasonWrongType},
		{"logout token", id(map[string]any{"typ": "logout+jwt"}, nil), oauth.ReasonWrongType},
		{"other issuer", id(nil, map[string]any{"iss": "https://evil.example.com/"}), oauth.ReasonWrongIssuer},
		{"no subject", id(nil, map[string]any{"sub": nil}), oauth.ReasonClaim},
		{"no audience", id(nil, map[string]any{"aud": nil}), oauth.ReasonClaim},
		{"alg none", tokenstest.Segment(`{"typ":"JWT","alg":"none"}`) + "." + tokenstest.Segment(b.json(b.claims(nil))) + ".", oauth.ReasonMalformed},
		{"unknown key", id(map[string]any{"kid": "x"}, nil), oauth.ReasonUnknownKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := b.verifier.VerifyIDToken(tt.token)
			if got := reasonOf(t, err); got != tt.want || (c == nil) != (err != nil) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	// An ID token must not open the door through the cache either.
	if _, err := b.verifier.Verify(id(nil, nil)); reasonOf(t, err) != oauth.ReasonWrongType {
		t.Errorf("as an access token: %v", err)
	}
}

// P9: an access token of Auth0's form says what it is, and has what each must have.
func TestVerifyAuth0Profile(t *testing.T) {
	b := newTokenBench(t)
	form := map[string]any{"client_id": nil, "azp": "my-spa", "token_use": "access"}
	for _, tt := range []struct {
		name   string
		typ    any
		change map[string]any
		want   oauth.Reason
	}{
		{"good", "JWT", nil, ""},
		{"spelt otherwise", "application/jwt", nil, ""},
		{"another type", "logout+jwt", nil, oauth.ReasonWrongType},
		{"no type", nil, nil, oauth.ReasonWrongType},
		{"no use", "JWT", map[string]any{"token_use": nil}, oauth.ReasonWrongType},
		{"another use", "JWT", map[string]any{"token_use": "id"}, oauth.ReasonWrongType},
		{"use in another case", "JWT", map[string]any{"token_use": "Access"}, oauth.ReasonWrongType},
		{"use is a list", "JWT", map[string]any{"token_use": []string{"access"}}, oauth.ReasonClaim},
		{"no client", "JWT", map[string]any{"azp": nil}, oauth.ReasonClaim},
		{"no jti", "JWT", map[string]any{"jti": nil}, oauth.ReasonClaim},
	} {
		t.Run("P9: "+tt.name, func(t *testing.T) {
			token := b.mint(map[string]any{"typ": tt.typ}, tokenstest.Merge(form, tt.change))
			c, err := b.verifier.Verify(token)
			if got := reasonOf(t, err); got != tt.want || err == nil && c.ClientID != "my-spa" {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestVerifyUsesWhatMintingPut(t *testing.T) {
	b := newTokenBench(t)
	payload := []byte(b.json(b.claims(nil)))
	key := b.signer(jose.ES256)
	token, err := jose.Sign(key, TypeAccessToken, payload)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseClaims(payload, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	b.cache.Put(token, c)
	b.cache.entries.Wait()
	if got, err := b.verifier.Verify(token); err != nil || got != c {
		t.Errorf("got %p, %v, want %p", got, err, c)
	}
	if _, err := ParseClaims([]byte(b.json(b.claims(map[string]any{"client_id": nil}))), key.Public()); err == nil {
		t.Error("what is not an access token can be put")
	}
}

func TestVerifyChecksTheCachedAgain(t *testing.T) {
	b := newTokenBench(t)
	token := b.mint(nil, nil)
	seen := func() bool { return b.cache.Get(token) != nil }
	if _, err := b.verifier.Verify(token); err != nil {
		t.Fatal(err)
	}
	b.cache.entries.Wait()
	if !seen() {
		t.Fatal("not cached")
	}
	other := New(Config{Issuer: "https://other.example.com/", Keys: b.keys, Cache: b.cache, Clock: b.clock})
	if _, err := other.Verify(token); reasonOf(t, err) != oauth.ReasonWrongIssuer {
		t.Errorf("another issuer on the same cache: %v", err)
	}
	b.now = b.now.Add(10 * time.Minute)
	if _, err := b.verifier.Verify(token); !seen() || reasonOf(t, err) != oauth.ReasonExpired {
		t.Errorf("after its end: %v", err)
	}
	b.now = b.now.Add(-20 * time.Minute)
	if _, err := b.verifier.Verify(token); reasonOf(t, err) != oauth.ReasonNotYetValid {
		t.Errorf("before its time: %v", err)
	}
	b.now = b.now.Add(10 * time.Minute)

	// The key is dropped: what it verified is worth nothing, and what another
	// ring holds under the same ID is not the same key.
	b.cell.Value, b.cell.Version = nil, b.cell.Version+1
	b.load()
	if _, err := b.verifier.Verify(token); !seen() || reasonOf(t, err) != oauth.ReasonUnknownKey {
		t.Errorf("after its key is gone: %v", err)
	}
}

func TestVerifyConcurrently(t *testing.T) {
	b := newTokenBench(t)
	tokens := make([]string, 8)
	for i := range tokens {
		tokens[i] = b.mint(nil, map[string]any{"sub": fmt.Sprint("local|", i)})
	}
	done := make(chan error)
	for range 4 {
		go func() {
			for round := range 50 {
				for i, token := range tokens {
					c, err := b.verifier.Verify(token)
					if err != nil || c.Subject != fmt.Sprint("local|", i) {
						done <- fmt.Errorf("round %d: %v, %w", round, c, err)
						return
					}
					c.Lookup("sub")
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestCacheForgetsAndStaysBounded(t *testing.T) {
	c, err := NewCache(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	payload := strings.Repeat("x", 400)
	for i := range 5000 {
		c.Put(fmt.Sprint("token", i), &Claims{Expiry: time.Now().Add(time.Hour), raw: payload})
		if i%500 == 0 {
			c.entries.Wait()
		}
	}
	c.entries.Wait()
	var held int64
	for i := range 5000 {
		if claims := c.Get(fmt.Sprint("token", i)); claims != nil {
			held += claims.Size()
		}
	}
	if held == 0 || held > 1<<20 {
		t.Errorf("%d bytes are held", held)
	}
	c.Put("dead", &Claims{Expiry: time.Now().Add(-time.Second)})
	c.entries.Wait()
	if c.Get("dead") != nil {
		t.Error("an expired token is found")
	}
	c.Close()
	c.Put("after", &Claims{Expiry: time.Now().Add(time.Hour)})
	if c.Get("after") != nil {
		t.Error("a closed cache answers")
	}
}

// Two digests that share the 64 bits by which ristretto finds entries.
func TestCacheTellsCollisionsApart(t *testing.T) {
	c, err := NewCache(0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	digest := sha256.Sum256([]byte("asked"))
	other := digest
	other[31] ^= 1
	c.entries.Set(cacheKey(&digest), &Claims{digest: other}, 1)
	c.entries.Wait()
	if c.Get("asked") != nil {
		t.Error("the claims of another token are found")
	}
}

func BenchmarkVerify(b *testing.B) {
	algs := []jose.Algorithm{jose.ES256, jose.EdDSA, jose.RS256}
	f := newTokenBench(b, algs...)
	for _, alg := range algs {
		payload := []byte(f.json(f.claims(map[string]any{claimFamily: storage.FamilyID{1}.String(), "sid": storage.SessionID{2}.String(), "auth_time": f.now.Unix()})))
		key := f.signer(alg)
		token, err := jose.Sign(key, TypeAccessToken, payload)
		if err != nil {
			b.Fatal(err)
		}
		miss := New(Config{Issuer: testIssuer, Keys: f.keys})
		hit := New(Config{Issuer: testIssuer, Keys: f.keys, Cache: f.cache})
		if _, err := hit.Verify(token); err != nil {
			b.Fatal(err)
		}
		f.cache.entries.Wait()
		run := func(name string, verify func() error) {
			b.Run(name+"/"+string(alg), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := verify(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("signature", func() error { return key.Public().Verify(token) })
		run("miss", func() error { _, err := miss.Verify(token); return err })
		run("hit", func() error { _, err := hit.Verify(token); return err })
		run("sign", func() error { _, err := jose.Sign(key, TypeAccessToken, payload); return err })
		run("claims", func() error { _, err := ParseClaims(payload, key.Public()); return err })
	}
	bad := strings.Repeat(".", oauth.MaxTokenBytes)
	b.Run("refuse/dots", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.verifier.Verify(bad); err == nil {
				b.Fatal("accepted")
			}
		}
	})
}
