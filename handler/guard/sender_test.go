package guard

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

// boundBench is a guard of tokens that are bound to a key, to a certificate, or to both.
type boundBench struct {
	key, thief *tokenstest.DPoPKey
	guard      *Guard
}

func newBoundBench(t testing.TB, change ...func(*Config)) *boundBench {
	t.Helper()
	key := tokenstest.NewDPoPKey(t, time.Now)
	b := &boundBench{key: key, thief: tokenstest.NewDPoPKey(t, time.Now)}
	jkt, x5t := `"jkt":"`+key.Thumbprint()+`"`, `"x5t#S256":"`+wiretest.CertificatePrint("mine")+`"`
	b.guard = newTestGuard(t, checker{
		"bound":    claimsOf(t, `{"cnf":{`+jkt+`}}`),
		"mtls":     claimsOf(t, `{"cnf":{`+x5t+`}}`),
		"both":     claimsOf(t, `{"cnf":{`+jkt+`,`+x5t+`}}`),
		"noscopes": claimsOf(t, `{"scope":"","cnf":{`+jkt+`}}`),
	}, append([]func(*Config){func(c *Config) { c.Proofs, c.Scopes = dpop.NewProofs(nil), []string{"orders:read"} }}, change...)...)
	return b
}

// request is one for the orders, with a proof for a token where there is one.
func (b *boundBench) request(t *testing.T, scheme, token string, proofs ...string) *http.Request {
	r := request(t, http.MethodGet, ordersURL+"?page=2", "Authorization", scheme+" "+token)
	r.Header[wire.ProofHeader] = proofs
	if len(proofs) == 0 {
		delete(r.Header, wire.ProofHeader)
	}
	return wiretest.WithCertificate(r, "another")
}

func TestGuardDPoP(t *testing.T) {
	b := newBoundBench(t)
	good := func(token string) string { return b.key.Proof("GET", ordersURL, token) }
	used := good("bound")
	mine := func(r *http.Request) *http.Request { return wiretest.WithCertificate(r, "mine") }
	none := func(r *http.Request) *http.Request { r.TLS = nil; return r }
	for _, tc := range []struct {
		name    string
		request *http.Request
		status  int
		want    string // the begin of the challenge
	}{
		{"good", b.request(t, "DPoP", "bound", used), 200, ""},
		{"scheme in another case", b.request(t, "dpop", "bound", good("bound")), 200, ""},
		{"JWT-53 as Bearer", b.request(t, "Bearer", "bound"), 401, `DPoP error="invalid_token", algs="ES256 EdDSA`},
		{"JWT-53 as Bearer with a proof", b.request(t, "Bearer", "bound", good("bound")), 401, `DPoP error="invalid_token", algs="ES256 EdDSA`},
		{"JWT-54 no proof", b.request(t, "DPoP", "bound"), 401, `DPoP error="invalid_dpop_proof"`},
		{"JWT-54 empty proof", b.request(t, "DPoP", "bound", ""), 401, `DPoP error="invalid_dpop_proof"`},
		{"JWT-54 reused jti", b.request(t, "DPoP", "bound", used), 401, `DPoP error="invalid_dpop_proof"`},
		{"JWT-54 two headers", b.request(t, "DPoP", "bound", good("bound"), good("bound")), 401, `DPoP error="invalid_dpop_proof"`},
		{"JWT-54 wrong htm", b.request(t, "DPoP", "bound", b.key.Proof("POST", ordersURL, "bound")), 401, `DPoP error="invalid_dpop_proof"`},
		{"JWT-54 wrong htu", b.request(t, "DPoP", "bound", b.key.Proof("GET", ordersURL+"/1", "bound")), 401, `DPoP error="invalid_dpop_proof"`},
		{"P1 htu with query", b.request(t, "DPoP", "bound", b.key.Proof("GET", ordersURL+"?page=2", "bound")), 200, ""},
		{"P1 htu with fragment", b.request(t, "DPoP", "bound", b.key.Proof("GET", ordersURL+"#top", "bound")), 200, ""},
		{"JWT-54 wrong ath", b.request(t, "DPoP", "bound", good("good")), 401, `DPoP error="invalid_dpop_proof"`},
		{"JWT-54 without ath", b.request(t, "DPoP", "bound", good("")), 401, `DPoP error="invalid_dpop_proof"`},
		{"another's key", b.request(t, "DPoP", "bound", b.thief.Proof("GET", ordersURL, "bound")), 401, `DPoP error="invalid_token"`},
		{"too little scope", b.request(t, "DPoP", "noscopes", good("noscopes")), 403, `DPoP error="insufficient_scope"`},
		{"not bound, as DPoP", b.request(t, "DPoP", "good", good("good")), 401, `DPoP error="invalid_token"`},
		{"not bound", b.request(t, "Bearer", "good"), 200, ""},
		{"not bound, a proof that nobody asked for", b.request(t, "Bearer", "good", "garbage"), 200, ""},
		{"unknown, as DPoP", b.request(t, "DPoP", "x.y.z", good("x.y.z")), 401, `Bearer realm="https://api.example.com", scope="orders:read", resource`},
		{"JWT-54 two tokens", b.request(t, "DPoP", "bound, DPoP bound", good("bound")), 400, `DPoP error="invalid_request"`},

		{"certificate", mine(b.request(t, "Bearer", "mtls")), 200, ""},
		{"another certificate", b.request(t, "Bearer", "mtls"), 401, `Bearer realm="https://api.example.com", error="invalid_token"`},
		{"no certificate", none(b.request(t, "Bearer", "mtls")), 401, `Bearer realm="https://api.example.com", error="invalid_token"`},
		{"certificate and proof", mine(b.request(t, "DPoP", "mtls", good("mtls"))), 401, `DPoP error="invalid_token"`},
		{"both", mine(b.request(t, "DPoP", "both", good("both"))), 200, ""},
		{"both, no proof", mine(b.request(t, "Bearer", "both")), 401, `DPoP error="invalid_token"`},
		{"both, another certificate", b.request(t, "DPoP", "both", good("both")), 401, `Bearer realm`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, seen := guarded(t, b.guard, tc.request, nil)
			if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != tc.status || !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("%d %q", res.StatusCode, got)
			}
			if (seen != nil) != (tc.status == 200) {
				t.Errorf("reached the upstream: %t", seen != nil)
			}
		})
	}
}

// CLI-17: what a header says of a certificate is what anybody can write.
func TestHardeningCLI17(t *testing.T) {
	b := newBoundBench(t)
	for _, header := range []string{"X-Ssl-Client-Cert", "X-Client-Cert", "X-Forwarded-Client-Cert", "Client-Cert", "Ssl-Client-Cert"} {
		r := b.request(t, "Bearer", "mtls")
		r.TLS = nil
		r.Header.Set(header, "mine")
		if res, seen := guarded(t, b.guard, r, nil); res.StatusCode != 401 || seen != nil {
			t.Errorf("%s: %d", header, res.StatusCode)
		}
	}
}

// Challenges name every scheme that would do, and the error stands by the one that was used.
func TestGuardChallengesOfBothSchemes(t *testing.T) {
	both, required := newBoundBench(t), newBoundBench(t, func(c *Config) { c.DPoPRequired = true })
	algs := `algs="ES256 EdDSA Ed25519 ES384 ES512 PS256 PS384 PS512 RS256 RS384 RS512"`
	bad := `error="invalid_token", error_description="The access token is invalid."`
	for _, tc := range []struct {
		name  string
		bench *boundBench
		auth  string
		want  []string
	}{
		{"no token", both, "", []string{`Bearer realm="https://api.example.com"`, `DPoP ` + algs}},
		{"bad Bearer", both, "Bearer x", []string{`Bearer realm="https://api.example.com", ` + bad, `DPoP ` + algs}},
		{"bad DPoP", both, "DPoP x", []string{`Bearer realm="https://api.example.com"`, `DPoP error="invalid_token", ` + algs + `, error_description="The access token is invalid."`}},
		{"required, no token", required, "", []string{`DPoP ` + algs}},
		{"required, a Bearer token", required, "Bearer good", []string{`DPoP error="invalid_token", ` + algs + `, error_description="The access token is not bound to a key."`}},
		{"required, bound to a certificate alone", required, "Bearer mtls", []string{`DPoP error="invalid_token", ` + algs + `, error_description="The access token is not bound to a key."`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := wiretest.WithCertificate(request(t, http.MethodGet, "/x"), "mine")
			if tc.auth != "" {
				r.Header.Set("Authorization", tc.auth)
			}
			res, _ := guarded(t, tc.bench.guard, r, nil)
			for i := range tc.want {
				tc.want[i] += `, scope="orders:read"` + metadataParameter
			}
			if got := res.Header[wire.ChallengeHeader]; res.StatusCode != 401 || !slices.Equal(got, tc.want) {
				t.Errorf("%d\n%q, want\n%q", res.StatusCode, got, tc.want)
			}
		})
	}
	doc := string(required.guard.resource.document)
	if !strings.Contains(doc, `"dpop_bound_access_tokens_required": true`) || !strings.Contains(doc, `"dpop_signing_alg_values_supported"`) {
		t.Error(doc)
	}
	if doc := string(both.guard.resource.document); strings.Contains(doc, "required") {
		t.Error(doc)
	}
}

// What a client sent its request to is for the configuration to know.
func TestGuardRequestURLs(t *testing.T) {
	b := newBoundBench(t, func(c *Config) {
		c.RequestURLs = func(r *http.Request) []string { return []string{"https://outside.example.com" + r.URL.EscapedPath()} }
		c.StripToken = true
	})
	r := b.request(t, "DPoP", "bound", b.key.Proof("GET", ordersURL, "bound"))
	if res, _ := guarded(t, b.guard, r, nil); res.StatusCode != 401 {
		t.Errorf("the URL inside: %d", res.StatusCode)
	}
	r = b.request(t, "DPoP", "bound", b.key.Proof("GET", "https://outside.example.com/orders", "bound"))
	res, seen := guarded(t, b.guard, r, nil)
	if res.StatusCode != 200 {
		t.Fatalf("the URL outside: %d %v", res.StatusCode, res.Header)
	}
	if seen.Header.Get("Authorization") != "" || seen.Header.Get("DPoP") != "" {
		t.Errorf("the upstream sees %v", seen.Header)
	}
}

// A client sends one proof with a request, whatever number of guards looks at
// it; in another request, or beside another token, the proof is a replay.
func TestGuardsOfOneRequest(t *testing.T) {
	shared := make(map[*http.Request]*Passage)
	b := newBoundBench(t, func(c *Config) {
		c.Passage = func(r *http.Request) *Passage {
			if shared[r] == nil {
				shared[r] = new(Passage)
			}
			return shared[r]
		}
	})
	proof := b.key.Proof("GET", ordersURL, "bound")
	first, second := b.request(t, "DPoP", "bound", proof), b.request(t, "DPoP", "bound", proof)
	for range 3 {
		if res, _ := guarded(t, b.guard, first, nil); res.StatusCode != 200 {
			t.Fatalf("a guard of the same request: %d %v", res.StatusCode, res.Header)
		}
	}
	first.Header.Set("Authorization", "DPoP noscopes")
	for name, r := range map[string]*http.Request{"another request": second, "another token": first} {
		if res, _ := guarded(t, b.guard, r, nil); res.StatusCode != 401 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	first.Header.Set("Authorization", "DPoP bound")
	first.Header[wire.ProofHeader] = []string{b.thief.Proof("GET", ordersURL, "bound")}
	if res, _ := guarded(t, b.guard, first, nil); res.StatusCode != 401 {
		t.Errorf("another key: %d", res.StatusCode)
	}
}

// nonces is a checker of proofs that demands one nonce.
type nonces struct{ *dpop.Proofs }

func (nonces) ProofNonce() string { return "n1" }

func (nonces) CheckProof(dpop.Request) (jose.Thumbprint, error) {
	return jose.Thumbprint{}, &oauth.Error{Code: oauth.UseDPoPNonce, Reason: oauth.ReasonProofNonce, Description: "x"}
}

func TestGuardNonce(t *testing.T) {
	b := newBoundBench(t, func(c *Config) { c.Proofs = nonces{} })
	r := b.request(t, "DPoP", "bound", b.key.Proof("GET", ordersURL, "bound"))
	r.Header.Set("Origin", appOrigin)
	res, _ := guarded(t, b.guard, r, nil)
	if res.StatusCode != 401 || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), `DPoP error="use_dpop_nonce"`) || res.Header.Get("DPoP-Nonce") != "n1" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if exposed := res.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "DPoP-Nonce") || !strings.Contains(exposed, "WWW-Authenticate") {
		t.Errorf("exposed: %q", exposed)
	}
}

func TestNewGuardNeedsProofs(t *testing.T) {
	_, err := New(Config{Access: checker{}, Audience: []string{"a"}, IssuerURL: testIssuer, DPoPRequired: true})
	if err == nil {
		t.Error("no error")
	}
	refusal := new(Refusal)
	g := newTestGuard(t, checker{"bound": claimsOf(t, `{"cnf":{"jkt":"`+somebodysKey+`"}}`)})
	_, err = g.Authenticate(httptest.NewRecorder(), request(t, http.MethodGet, "/", "Authorization", "DPoP bound"))
	if !errors.As(err, &refusal) || refusal.Status != 401 {
		t.Errorf("without Proofs: %v", err)
	}
}

func BenchmarkGuardDPoP(b *testing.B) {
	bench := newBoundBench(b)
	requests := make([]*http.Request, 10_000)
	for i := range requests {
		requests[i] = httptest.NewRequestWithContext(b.Context(), http.MethodGet, ordersURL, nil)
		requests[i].Header["Authorization"] = []string{"DPoP bound"}
		requests[i].Header[wire.ProofHeader] = []string{bench.key.Proof("GET", ordersURL, "bound")}
	}
	w := httptest.NewRecorder()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i%len(requests) == 0 {
			bench.guard.cfg.Proofs = dpop.NewProofs(nil)
		}
		if _, err := bench.guard.Check(w, requests[i%len(requests)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
