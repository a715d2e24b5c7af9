package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// TestClientKeysInCaddy: a client whose keys are at a jwks_uri gets a token, by
// a secret that is listed second as well, and the metric tells which it used.
func TestClientKeysInCaddy(t *testing.T) {
	publisher := newOtherIssuer(t)
	g := newGateway(t)
	err := g.load(gatewayOptions{OAuth: fmt.Sprintf(`
		client reports {
			type machine
			apis %s
			jwks_uri %skeys
			jwks_allow_private
			secret_hash %s %s
		}`, testAPI, publisher.URL(), clients.HashSecret("older"), clients.HashSecret("newer"))})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(form url.Values) int {
		form.Set("grant_type", "client_credentials")
		resp, _ := g.do(g.request(g.url("/oauth/token"), form))
		return resp.StatusCode
	}
	assertion := func(n int) url.Values {
		now := time.Now().Unix()
		payload, err := json.Marshal(map[string]any{"iss": "reports", "sub": "reports", "aud": g.Issuer, "jti": fmt.Sprint(n), "iat": now, "exp": now + 60})
		if err != nil {
			t.Fatal(err)
		}
		text, err := jose.Sign(publisher.key, "JWT", payload)
		if err != nil {
			t.Fatal(err)
		}
		return url.Values{"client_assertion_type": {clients.AssertionTypeJWT}, "client_assertion": {text}}
	}
	status, n := 0, 0
	for deadline := time.Now().Add(10 * time.Second); status != http.StatusOK && time.Now().Before(deadline); n++ {
		if status = ask(assertion(n)); status != http.StatusOK && status != http.StatusServiceUnavailable {
			t.Fatalf("status %d while the keys are fetched", status)
		}
	}
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if status := ask(assertion(n - 1)); status != http.StatusUnauthorized {
		t.Errorf("a replay: status %d", status)
	}
	if status := ask(url.Values{"client_id": {"reports"}, "client_secret": {"newer"}}); status != http.StatusOK {
		t.Errorf("by the second secret: status %d", status)
	}
	_, text := g.admin(http.MethodGet, "/metrics")
	for _, want := range []string{"jwks_uri 1", "secret_hash 2"} {
		if !strings.Contains(text, `caddy_oauth_client_credentials_used_total{client="reports",credential="`+want+`"} `) {
			t.Errorf("no use of %s was counted", want)
		}
	}
	if strings.Contains(text, `credential="secret_hash 1"`) {
		t.Error("a secret that nobody used was counted")
	}
	if logs := g.logs(); strings.Contains(logs, "newer") || strings.Contains(logs, "eyJ") {
		t.Error("a secret or an assertion is in the log")
	}
}
