package upstream

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// reported serves a discovery document with changes, and keys, and returns what is reported of it.
func reported(t *testing.T, cfg Config, change map[string]any, ahead time.Duration, alg jose.Algorithm) login.Report {
	t.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jose.MarshalKeySet([]*jose.PublicKey{key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	cfg.Clock = func() time.Time { return now }
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", now.Add(ahead).UTC().Format(http.TimeFormat))
		if r.URL.Path == "/keys" {
			_, _ = w.Write(keys)
			return
		}
		document := map[string]any{
			"issuer": server.URL, "authorization_endpoint": server.URL + "/a", "token_endpoint": server.URL + "/t", "jwks_uri": server.URL + "/keys",
			"scopes_supported": []string{"openid", "profile", "email"}, "token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
			"code_challenge_methods_supported": []string{"S256"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		}
		maps.Copy(document, change)
		_ = json.NewEncoder(w).Encode(document)
	}))
	t.Cleanup(server.Close)
	cfg.Name, cfg.Issuer, cfg.ClientID = "company", server.URL, "gatehouse"
	cfg.ClientSecrets = func() ([]string, error) { return []string{"canary"}, nil }
	o, err := NewOIDC(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o.Report(t.Context())
}

// TestReportF18F13: what an operator should look at is found, and nothing where all is well.
func TestReportF18F13(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cfg     Config
		change  map[string]any
		ahead   time.Duration
		alg     jose.Algorithm
		reached bool
		keys    int
		problem string // the only one
		note    bool   // it is none
	}{
		{"all is well", Config{}, nil, 0, jose.ES256, true, 1, "", false},
		{"F18 a clock that is a little off", Config{}, nil, 40 * time.Second, jose.ES256, true, 1, "", false},
		{"F18 a clock that is ahead", Config{}, nil, 3 * time.Minute, jose.ES256, true, 1, "clock is 3m0s ahead of ours", false},
		{"F18 a clock that is behind", Config{}, nil, -3 * time.Minute, jose.ES256, true, 1, "clock is 3m0s behind ours", false},
		{"F13 a mistyped issuer", Config{}, map[string]any{"issuer": "https://other.example.com"}, 0, jose.ES256, false, 0, "it names another issuer", false},
		{"an endpoint too few", Config{}, map[string]any{"token_endpoint": ""}, 0, jose.ES256, false, 0, "it has no address for token", false},
		{"no key that fits", Config{}, nil, 0, jose.EdDSA, true, 0, "none of its keys is for an algorithm of its ID tokens, which are [ES256]", false},
		{"a scope that it does not know", Config{Scopes: []string{"openid", "phone"}}, nil, 0, jose.ES256, true, 1, "the scope phone is not announced", true},
		{"F23 an authentication that it does not know", Config{ClientAuth: AuthPost}, nil, 0, jose.ES256, true, 1, "client_secret_post is not announced", true},
		{"F22 no S256", Config{}, map[string]any{"code_challenge_methods_supported": []string{"plain"}}, 0, jose.ES256, true, 1, "PKCE by S256 is not announced", true},
		{"it announces nothing", Config{Scopes: []string{"openid", "phone"}, ClientAuth: AuthPost}, map[string]any{
			"scopes_supported": nil, "token_endpoint_auth_methods_supported": nil, "code_challenge_methods_supported": nil,
		}, 0, jose.ES256, true, 1, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := reported(t, tt.cfg, tt.change, tt.ahead, tt.alg)
			if r.Discovered != tt.reached || len(r.Keys) != tt.keys {
				t.Errorf("reached: %v, %d keys: %+v", r.Discovered, len(r.Keys), r)
			}
			found, other := r.Problems, r.Notes
			if tt.note {
				found, other = other, found
			}
			if (tt.problem == "") != (len(found) == 0) || len(found) > 1 || len(other) > 0 || !strings.Contains(strings.Join(found, ""), tt.problem) {
				t.Errorf("problems %q, notes %q, want %q", r.Problems, r.Notes, tt.problem)
			}
			if text, _ := json.Marshal(r); strings.Contains(string(text), "canary") {
				t.Errorf("the secret is told: %s", text)
			}
		})
	}
}

// TestReportOfGitHub: its addresses are known, so that nothing is asked.
func TestReportOfGitHub(t *testing.T) {
	g, err := NewGitHub(Config{Name: "github", ClientID: "a", ClientSecrets: func() ([]string, error) { return []string{"b"}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if r := g.Report(t.Context()); !r.Discovered || r.Trouble != "" || len(r.Problems) > 0 || r.Endpoints["authorization"] != "https://github.com/login/oauth/authorize" {
		t.Errorf("%+v", r)
	}
}
