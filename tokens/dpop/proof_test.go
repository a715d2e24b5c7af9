package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// The examples of RFC 9449, typed in.
const (
	rfc9449Thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	rfc9449Header     = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMi" +
		"LCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	rfc9449TokenProof = rfc9449Header +
		".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ" +
		".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	rfc9449ResourceProof = rfc9449Header +
		".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwi" +
		"YXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9" +
		".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)

func TestGoldenRFC9449(t *testing.T) {
	for _, tt := range []struct {
		name    string
		at      int64
		request Request
	}{
		{"figure 2 and 4, token request", 1562262616, Request{Proof: rfc9449TokenProof, Method: "POST", URLs: []string{"https://server.example.com/token"}}},
		{"figure 12 and 13, resource request", 1562262618, Request{
			Proof: rfc9449ResourceProof, Method: "GET", URLs: []string{"https://resource.example.org/protectedresource"}, AccessToken: proofToken,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			proofs := NewProofs(func() time.Time { return time.Unix(tt.at, 0) })
			print, err := proofs.CheckProof(tt.request)
			if err != nil || print.String() != rfc9449Thumbprint {
				t.Fatalf("%s, %v", print, err)
			}
			if _, err := proofs.CheckProof(tt.request); !errors.Is(err, errProofReplayed) {
				t.Errorf("again: %v", err)
			}
		})
	}
}

func TestAttackJWT54(t *testing.T) {
	b := newProofBench(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := tokenstest.PublicJWK(t, b.key)
	jwk := func(change ...any) map[string]any {
		m := tokenstest.PublicJWK(t, b.key)
		for i := 0; i < len(change); i += 2 {
			m[change[i].(string)] = change[i+1]
		}
		return map[string]any{"jwk": tokenstest.Merge(m, nil)}
	}
	claim := func(name string, value any) string { return b.proof(nil, map[string]any{name: value}) }
	header := func(name string, value any) string { return b.proof(map[string]any{name: value}, nil) }
	good := b.proof(nil, nil)
	for _, tt := range []struct {
		name  string
		proof string
		want  *oauth.Error
	}{
		{"good", good, nil},
		{"reused jti", good, errProofReplayed},
		{"empty", "", errProofForm},
		{"two, joined by a proxy", good + ", " + good, errProofForm},
		{"three dots", good + ".x", errProofForm},
		{"padding", good + "=", errProofForm},
		{"line end", good + "\n", errProofForm},
		{"too long", good + strings.Repeat("A", oauth.MaxTokenBytes), errProofForm},
		{"typ wrong", header("typ", "JWT"), errProofType},
		{"typ of an access token", header("typ", verify.TypeAccessToken), errProofType},
		{"typ missing", header("typ", nil), errProofType},
		{"typ with application/", header("typ", "application/DPoP+JWT"), nil},
		{"alg none", header("alg", "none"), errProofAlgorithm},
		{"alg missing", header("alg", nil), errProofAlgorithm},
		{"alg HS256", header("alg", "HS256"), errProofAlgorithm},
		{"alg es256", header("alg", "es256"), errProofAlgorithm},
		{"alg of another curve", header("alg", "ES384"), errProofKey},
		{"alg of another type", header("alg", "RS256"), errProofKey},
		{"alg a list", header("alg", []string{"ES256"}), errProofForm},
		{"jwk missing", header("jwk", nil), errProofKey},
		{"jwk as text", header("jwk", "key"), errProofForm},
		{"jwk with private d", b.proof(jwk("d", own["x"]), nil), errProofKey},
		{"jwk with private d null", b.proof(map[string]any{"jwk": map[string]any{"kty": "EC", "crv": "P-256", "x": own["x"], "y": own["y"], "d": nil}}, nil), errProofKey},
		{"jwk with private p", b.proof(jwk("p", "AQAB"), nil), errProofKey},
		{"jwk oct", b.proof(map[string]any{"alg": "HS256", "jwk": map[string]any{"kty": "oct", "k": "AAAA"}}, nil), errProofAlgorithm},
		{"jwk oct, alg ES256", b.proof(map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AAAA"}}, nil), errProofKey},
		{"jwk for encryption", b.proof(jwk("use", "enc"), nil), errProofKey},
		{"jwk of another alg", b.proof(jwk("alg", "ES384"), nil), errProofKey},
		{"jwk off the curve", b.proof(jwk("y", own["x"]), nil), errProofKey},
		{"jwk of a weak RSA key", tokenstest.SignInput(t, small, tokenstest.Segment(tokenstest.JSON(t, map[string]any{"typ": typeProof, "alg": "RS256", "jwk": tokenstest.PublicJWK(t, small)}))+"."+tokenstest.Segment(tokenstest.JSON(t, b.claims(nil)))), errProofKey},
		{"jwk of P-384, alg ES256", b.proof(map[string]any{"jwk": tokenstest.PublicJWK(t, p384)}, nil), errProofKey},
		{"jwk of somebody else", b.proof(map[string]any{"jwk": tokenstest.PublicJWK(t, other)}, nil), errProofSignature},
		{"jwk twice", b.sign(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+tokenstest.JSON(t, own)+`,"jwk":`+tokenstest.JSON(t, own)+`}`, tokenstest.JSON(t, b.claims(nil))), errProofForm},
		{"jwk with a member twice", b.sign(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC",`+tokenstest.JSON(t, own)[1:]+`}`, tokenstest.JSON(t, b.claims(nil))), errProofForm},
		{"crit", header("crit", []string{"exp"}), errProofForm},
		{"jku", header("jku", "https://evil.example/"), errProofForm},
		{"x5c", header("x5c", []string{"AA"}), errProofForm},
		{"kid beside jwk", header("kid", "x"), nil},
		{"wrong htm", claim("htm", "GET"), errProofMethod},
		{"htm in another case", claim("htm", "post"), errProofMethod},
		{"htm missing", claim("htm", nil), errProofForm},
		{"htm a list", claim("htm", []string{"POST"}), errProofForm},
		{"wrong htu", claim("htu", "https://auth.example.com/oauth/other"), errProofURL},
		{"htu of another host", claim("htu", "https://evil.example.com/oauth/token"), errProofURL},
		{"htu of another scheme", claim("htu", "http://auth.example.com/oauth/token"), errProofURL},
		{"htu of another port", claim("htu", "https://auth.example.com:8443/oauth/token"), errProofURL},
		// P1: ignored, as RFC 9449 §4.3 (9) has it.
		{"htu with query", claim("htu", proofURL+"?a=b"), nil},
		{"htu with empty query", claim("htu", proofURL+"?"), nil},
		{"htu with fragment", claim("htu", proofURL+"#x"), nil},
		{"htu with fragment and query", claim("htu", proofURL+"#x?a=b"), nil},
		{"htu of another path behind the query", claim("htu", "https://auth.example.com/?"+proofURL), errProofURL},
		{"htu is a query", claim("htu", "?"+proofURL), errProofURL},
		{"htu with userinfo", claim("htu", "https://a@auth.example.com/oauth/token"), errProofURL},
		{"htu is a path", claim("htu", "/oauth/token"), errProofURL},
		{"htu missing", claim("htu", nil), errProofForm},
		{"htu with default port", claim("htu", "https://auth.example.com:443/oauth/token"), nil},
		{"htu in other cases", claim("htu", "HTTPS://AUTH.example.COM/oauth/token"), nil},
		{"htu with needless escapes", claim("htu", "https://auth.example.com/%6fauth/./x/../token"), nil},
		{"stale iat", claim("iat", b.now.Unix()-61), errProofTime},
		{"iat 60 s ago", claim("iat", b.now.Unix()-60), nil},
		{"future iat", claim("iat", b.now.Unix()+61), errProofTime},
		{"iat 11 s ahead", claim("iat", b.now.Unix()+11), errProofTime},
		{"iat 10 s ahead", claim("iat", b.now.Unix()+10), nil},
		{"iat as text", claim("iat", fmt.Sprint(b.now.Unix())), errProofForm},
		{"iat missing", claim("iat", nil), errProofForm},
		{"expired", claim("exp", b.now.Unix()-11), errProofTime},
		{"not yet valid", claim("nbf", b.now.Unix()+11), errProofTime},
		{"jti missing", claim("jti", nil), errProofForm},
		{"jti empty", claim("jti", ""), errProofForm},
		{"jti too long", claim("jti", strings.Repeat("x", maxProofID+1)), errProofForm},
		{"jti a number", claim("jti", 1), errProofForm},
		{"claim twice", b.sign(tokenstest.JSON(t, b.header(nil)), `{"htm":"GET",`+tokenstest.JSON(t, b.claims(nil))[1:]), errProofForm},
		{"trailing", b.sign(tokenstest.JSON(t, b.header(nil)), tokenstest.JSON(t, b.claims(nil))+"{}"), errProofForm},
		{"claims of the token endpoint with an ath", claim("ath", "x"), nil},
		{"signature of another text", good[:strings.LastIndexByte(good, '.')+1] + strings.Split(b.proof(nil, nil), ".")[2], errProofSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.proofs.CheckProof(b.request(tt.proof))
			if tt.want == nil && err != nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if tt.want != nil && (tt.want.Code != oauth.InvalidDPoPProof || tt.want.Cause != nil) {
				t.Errorf("the refusal is %+v", tt.want)
			}
		})
	}
}

func TestAttackJWT54TokenHash(t *testing.T) {
	b := newProofBench(t)
	for name, tt := range map[string]struct {
		ath  any
		want error
	}{
		"right":             {"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo", nil},
		"of another token":  {"gUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo", errProofToken},
		"missing":           {nil, errProofToken},
		"empty":             {"", errProofToken},
		"the token":         {proofToken, errProofToken},
		"with padding":      {"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo=", errProofToken},
		"a list":            {[]string{"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"}, errProofForm},
		"not the canonical": {"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEp", errProofToken},
	} {
		r := b.request(b.proof(nil, map[string]any{"ath": tt.ath}))
		r.AccessToken = proofToken
		if _, err := b.proofs.CheckProof(r); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProofAlgorithms(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for alg, key := range map[string]crypto.Signer{"ES256": ec, "EdDSA": ed, "Ed25519": ed, "RS256": rs} {
		t.Run(alg, func(t *testing.T) {
			b := newProofBench(t)
			b.key = key
			first, err := b.proofs.CheckProof(b.request(b.proof(map[string]any{"alg": alg}, nil)))
			if err != nil {
				t.Fatal(err)
			}
			// The key as text may differ; the thumbprint is that of the key.
			jwk := tokenstest.PublicJWK(t, key)
			jwk["use"], jwk["ext"], jwk["key_ops"] = "sig", true, []string{"verify"}
			second, err := b.proofs.CheckProof(b.request(b.proof(map[string]any{"alg": alg, "jwk": jwk}, nil)))
			if err != nil || first != second || first.IsZero() {
				t.Errorf("%s and %s, %v", first, second, err)
			}
		})
	}
}

func TestNormalURL(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"https://a.example", "https://a.example/"},
		{"https://a.example:443", "https://a.example/"},
		{"https://a.example:", "https://a.example/"},
		{"http://A.example:80/X", "http://a.example/X"},
		{"https://a.example:8443/x/", "https://a.example:8443/x/"},
		{"https://[::1]:8443/x", "https://[::1]:8443/x"},
		{"https://a.example/%7euser/%2f%2F", "https://a.example/~user/%2F%2F"},
		{"https://a.example/%e4", "https://a.example/%E4"},
		{"https://a.example//x", "https://a.example//x"},
		{"https://a.example/a/b/c/./../../g", "https://a.example/a/g"}, // RFC 3986 §5.2.4
		{"https://a.example/..", "https://a.example/"},
		{"https://a.example/%2e%2E/x", "https://a.example/x"},
		{"https://a.example/x/.", "https://a.example/x/"},
		{"https://a.example/.x", "https://a.example/.x"},
		{"https://a.example/100%", ""},
		{"ftp://a.example/", ""},
		{"a.example", ""},
		{"", ""},
		{"https:///x", ""},
		{"https://u:p@a.example/", ""},
		{"mailto:a@a.example", ""},
	} {
		if got := normalURL(tt.in); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

// A proof works once, for as long as it is good, however many come at once.
func TestProofReplay(t *testing.T) {
	b := newProofBench(t)
	proof := b.request(b.proof(nil, map[string]any{"iat": b.now.Unix() + 10}))
	var passed sync.Map
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			if _, err := b.proofs.CheckProof(proof); err == nil {
				passed.Store(i, true)
			}
		})
	}
	group.Wait()
	n := 0
	passed.Range(func(_, _ any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d of 50 passed", n)
	}
	for range 70 {
		if _, err := b.proofs.CheckProof(proof); !errors.Is(err, errProofReplayed) {
			t.Fatalf("after %s: %v", b.now, err)
		}
		if _, err := b.proofs.CheckProof(b.request(b.proof(nil, nil))); err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(time.Second)
	}
	b.now = b.now.Add(time.Second)
	if _, err := b.proofs.CheckProof(proof); !errors.Is(err, errProofTime) {
		t.Errorf("when it is over: %v", err)
	}
	// The same jti under another key is another proof.
	first := b.request(b.proof(nil, map[string]any{"jti": "same"}))
	other := newProofBench(t)
	other.now = b.now
	for _, r := range []Request{first, other.request(other.proof(nil, map[string]any{"jti": "same"}))} {
		if _, err := b.proofs.CheckProof(r); err != nil {
			t.Error(err)
		}
	}
}

func TestReplayWindowIsBounded(t *testing.T) {
	w, key, now := newReplayWindow(), jose.Thumbprint{1}, time.Unix(1_700_000_000, 0)
	taken := 0
	for i := range replayShards * maxShardProofs * 5 / 4 {
		err := w.take(key, fmt.Sprint(i), now)
		if err == nil {
			taken++
		} else if oauth.AsError(err).Code != oauth.TemporarilyUnavailable {
			t.Fatal(err)
		}
	}
	if taken != replayShards*maxShardProofs {
		t.Errorf("%d proofs were taken", taken)
	}
	// Nothing is forgotten to make room.
	if err := w.take(key, "0", now); !errors.Is(err, errProofReplayed) {
		t.Error(err)
	}
	// A shard that is full takes proofs again.
	for name, when := range map[string]time.Time{"later": now.Add(proofWindow), "after the clock was set back": now.Add(-time.Hour)} {
		full := 0
		for w.take(key, fmt.Sprint(name, full), now) == nil { // the other one's shard has room
			full++
		}
		if err := w.take(key, fmt.Sprint(name, full), when); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A13: a client chooses its jti, and filled one shard with proofs that all went
// there: a 64th of everybody's proofs were 503 for a minute.
func TestA13ProofsAimedAtOneShard(t *testing.T) {
	w, now := newReplayWindow(), time.Unix(1_700_000_000, 0)
	key := jose.Thumbprint{1}
	for i, aimed := 0, 0; aimed < maxShardProofs*5/4; i++ {
		id := strconv.Itoa(i)
		if mark := storage.Hash16("dpop", append(key[:], id...)); mark[0]%replayShards != 7 {
			continue
		}
		aimed++
		if err := w.take(key, id, now); err != nil {
			t.Fatalf("proof %d: %v", aimed, err)
		}
	}
	most, least := 0, maxShardProofs
	for i := range w.shards {
		n := len(w.shards[i].recent)
		most, least = max(most, n), min(least, n)
	}
	if most > 3*least {
		t.Errorf("one shard has %d of them, another %d", most, least)
	}
}

func TestProofKeysAreBounded(t *testing.T) {
	k := newProofKeys()
	for i := range 5 * maxProofKeys {
		k.put([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, &proofKey{})
	}
	if n := len(k.recent) + len(k.past); n > 2*maxProofKeys {
		t.Errorf("%d keys are held", n)
	}
	last := 5*maxProofKeys - 1
	if _, ok := k.get([32]byte{byte(last), byte(last >> 8), byte(last >> 16)}); !ok {
		t.Error("the newest key is forgotten")
	}
}

func TestNonce(t *testing.T) {
	old, both, fresh := tokenstest.Secrets(t, "a"), tokenstest.Secrets(t, "b", "a"), tokenstest.Secrets(t, "b")
	now := time.Unix(1_700_000_000, 0)
	nonce := nonceOf(old, now)
	for _, tt := range []struct {
		name    string
		secrets *secrets.Secrets
		nonce   string
		after   time.Duration
		want    bool
	}{
		{"at once", old, nonce, 0, true},
		{"on another node, whose clock is behind", old, nonce, -time.Minute, true},
		{"a minute later", old, nonce, time.Minute, true},
		{"three minutes later", old, nonce, 3 * time.Minute, false},
		{"far behind", old, nonce, -3 * time.Minute, false},
		{"under an older secret", both, nonce, 0, true},
		{"under another secret", fresh, nonce, 0, false},
		{"none", old, "", 0, false},
		{"garbage", old, "garbage", 0, false},
		{"another spelling", old, nonce + "=", 0, false},
		{"changed", old, "B" + nonce[1:], 0, false},
	} {
		if got := goodNonce(tt.secrets, tt.nonce, now.Add(tt.after)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func FuzzReadProof(f *testing.F) {
	b := newProofBench(f)
	f.Add(rfc9449TokenProof)
	f.Add(rfc9449ResourceProof)
	f.Add(b.proof(nil, nil))
	f.Add(b.proof(map[string]any{"typ": "JWT", "crit": []string{"x"}}, map[string]any{"nonce": "n", "ath": "a", "exp": 1e9}))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := readProof(text)
		if err != nil {
			if oauth.AsError(err).Code != oauth.InvalidDPoPProof {
				t.Errorf("refused by %v", err)
			}
			return
		}
		if p.alg == "" || p.key == nil || p.id == "" || p.method == "" || p.url == "" || p.issued.IsZero() || strings.Count(text, ".") != 2 {
			t.Errorf("read as %+v", p)
		}
		if normal := normalURL(p.url); normal != "" && normalURL(normal) != normal {
			t.Errorf("%q has no normal form: %q", p.url, normal)
		}
		_, _ = newProofKeys().verify(p)
	})
}

func BenchmarkCheckProof(b *testing.B) {
	bench := newProofBench(b)
	requests := make([]Request, 20_000)
	for i := range requests {
		requests[i] = bench.request(bench.proof(nil, map[string]any{"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"}))
		requests[i].AccessToken = proofToken
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i%len(requests) == 0 {
			bench.proofs = NewProofs(bench.proofs.clock)
		}
		if _, err := bench.proofs.CheckProof(requests[i%len(requests)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
