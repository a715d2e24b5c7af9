package caddymodule

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// otherIssuer is another authorization server on loopback.
type otherIssuer struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	key     *jose.PrivateKey
	down    bool
	fetches int
}

func newOtherIssuer(t *testing.T) *otherIssuer {
	t.Helper()
	o := &otherIssuer{t: t}
	o.rotate()
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": o.URL(), "jwks_uri": o.URL() + "keys", "authorization_endpoint": o.URL() + "authorize", "token_endpoint": o.URL() + "token",
			"scopes_supported": []string{"openid", "email"}, "code_challenge_methods_supported": []string{"S256"}, "backchannel_logout_supported": true,
			"id_token_signing_alg_values_supported": []string{"ES256"}, "authorization_response_iss_parameter_supported": true,
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.fetches++
		if o.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		set, err := jose.MarshalKeySet([]*jose.PublicKey{o.key.Public()})
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(set)
	})
	o.server = httptest.NewServer(mux)
	t.Cleanup(o.server.Close)
	return o
}

// URL is its issuer identifier.
func (o *otherIssuer) URL() string { return o.server.URL + "/" }

func (o *otherIssuer) rotate() {
	o.t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		o.t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.key = key
}

func (o *otherIssuer) setDown(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

func (o *otherIssuer) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fetches
}

// mint makes an access token as real issuers do; a nil value takes a claim away.
func (o *otherIssuer) mint(change map[string]any) string {
	o.t.Helper()
	claims := map[string]any{
		"iss": o.URL(), "sub": "alice", "aud": testAPI, "azp": "app", "scope": "orders:read", "email": "alice@other.example",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(claims)
	if err != nil {
		o.t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	token, err := jose.Sign(o.key, "JWT", payload)
	if err != nil {
		o.t.Fatal(err)
	}
	return token
}

// block is the issuer in a Caddyfile.
func (o *otherIssuer) block(lines ...string) string {
	return "issuer " + o.URL() + " {\n allow_private\n typ JWT\n " + strings.Join(lines, "\n ") + "\n}\n"
}

// eventuallyPasses waits until the keys are there.
func (g *gateway) eventuallyPasses(token string) {
	g.t.Helper()
	eventually(g.t, "the issuer's keys", func() bool {
		resp, _ := g.call("/orders", token)
		return resp.StatusCode == http.StatusOK
	})
	g.upstream.take()
}

// keysInUse returns how many key sets of other issuers the process holds, and
// how many configurations hold them.
func keysInUse() (sets, users int) {
	remoteKeys.Range(func(key, _ any) bool {
		n, _ := remoteKeys.References(key)
		sets, users = sets+1, users+n
		return true
	})
	return sets, users
}
