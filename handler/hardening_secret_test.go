package handler

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// A13: whoever sends wrong secrets, for clients that there are or not, kept the
// processors busy with slow hashes, and the queue for them full: after a restart,
// when no secret is remembered, honest clients got 503.
func TestA13WrongSecretsFromOneAddress(t *testing.T) {
	var computed atomic.Int64
	g := newGateway(t, func(core *tokens.Config, cfg *Config) {
		core.CompareHash = func(_, secret []byte) (bool, error) {
			computed.Add(1)
			return string(secret) == "right", nil
		}
		for _, c := range core.Clients {
			if c.ID == "machine" || c.ID == "web" {
				c.SecretHashes = []string{"$2a$10$" + c.ID + strings.Repeat("a", 53-len(c.ID))}
			}
		}
		cfg.ClientIP = func(r *http.Request) string { return r.Header.Get("From") }
	})
	ask := func(address, client, secret string) *wiretest.Answer {
		return g.post("/oauth/revoke", url.Values{"token": {"x"}, "client_id": {client}, "client_secret": {secret}}, "From", address)
	}
	flood := func(address, client string) (refused int) {
		for range 200 {
			switch res := ask(address, client, "wrong"); {
			case res.StatusCode == http.StatusTooManyRequests && res.Header.Get("Retry-After") != "":
				refused++
			case res.StatusCode != http.StatusUnauthorized:
				t.Fatalf("%s: %d %s", client, res.StatusCode, res.Body)
			}
		}
		return refused
	}
	if n := flood("2001:db8::1", "nobody"); n != 180 || computed.Load() != 20 {
		t.Errorf("clients that there are not: %d refused, %d hashes computed", n, computed.Load())
	}
	if n := flood("2001:db8::2", "someone"); n != 200 {
		t.Errorf("the same network, another name: %d refused", n)
	}
	// An honest client there has its own tries, and one elsewhere notices nothing.
	if res := ask("2001:db8::3", "machine", "right"); res.StatusCode != http.StatusOK {
		t.Errorf("an honest client at the same network: %d %s", res.StatusCode, res.Body)
	}
	if n := flood("2001:db8::1", "web"); n != 180 {
		t.Errorf("a client that there is: %d refused", n)
	}
	if res := ask("192.0.2.1", "web", "right"); res.StatusCode != http.StatusOK {
		t.Errorf("elsewhere: %d %s", res.StatusCode, res.Body)
	}
	// What has matched once costs nothing and is never refused, wherever it comes from.
	flood("2001:db8::1", "machine")
	for range 50 {
		if res := ask("2001:db8::1", "web", "right"); res.StatusCode != http.StatusOK {
			t.Fatalf("a secret that is remembered: %d %s", res.StatusCode, res.Body)
		}
	}
	before := computed.Load()
	flood("2001:db8::1", "nobody")
	if computed.Load() != before {
		t.Error("hashes are computed for a network that has had its share")
	}
	g.pass(3 * time.Second)
	if res := ask("2001:db8::1", "nobody", "wrong"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a few seconds later: %d", res.StatusCode)
	}
	if !g.heard.has(oauth.EventClientAuth, oauth.Outcome(oauth.ReasonRateLimited)) {
		t.Error("nothing is told")
	}
}
