package caddymodule

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// A10, ADM-16: two issuers on one store with one secret were not told apart, and
// the tokens and sessions of one were good at the other.
func TestStoreBelongsToItsIssuer(t *testing.T) {
	for name, options := range map[string]func(t *testing.T) gatewayOptions{
		"bolt":  func(*testing.T) gatewayOptions { return gatewayOptions{} },
		"redis": func(t *testing.T) gatewayOptions { return gatewayOptions{StoreIn: redisAt(redistest.Start(t).Addr)} },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			g := startGateway(t, o)
			session := g.login()
			other := *g // the same store and secret
			other.Issuer = newGateway(t).Issuer
			for range 2 { // a reload, twice
				err := other.load(o)
				if err == nil {
					t.Fatal("another issuer has started on the store")
				}
				for _, want := range []string{"the store belongs to the issuer " + g.Issuer, "`key_prefix`", "previous_issuer " + g.Issuer} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the error has no %q: %v", want, err)
					}
				}
				if session = g.refresh(session.RefreshToken); session.AccessToken == "" {
					t.Fatalf("refresh at the owner: %d %s", session.status, session.body)
				}
			}

			// On purpose: the URL has changed. A configuration that is refused for
			// another reason changes nothing.
			moved := o
			moved.OAuth = "previous_issuer " + g.Issuer
			busy, err := net.Listen("tcp", "localhost:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = busy.Close() }()
			refused := moved
			refused.API = "respond ok\n}\nhttp://" + busy.Addr().String() + " {\n respond busy"
			for range 6 { // apps start in no order
				if err := other.load(refused); err == nil {
					t.Fatal("a configuration started on a busy port")
				}
				if session = g.refresh(session.RefreshToken); session.AccessToken == "" {
					t.Fatalf("refresh at the owner: %d %s", session.status, session.body)
				}
			}
			if err := g.load(o); err != nil {
				t.Fatalf("a reload of the owner: %v", err)
			}
			old := session
			if err := other.load(moved); err != nil {
				t.Fatal(err)
			}
			if session = other.refresh(session.RefreshToken); session.AccessToken == "" {
				t.Fatalf("refresh under the new URL: %d %s", session.status, session.body)
			}
			if resp, _ := other.call("/orders", old.AccessToken); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("an access token of the old URL: %d, want 401", resp.StatusCode)
			}
			if resp, _ := other.call("/orders", session.AccessToken); resp.StatusCode != http.StatusOK {
				t.Errorf("an access token of the new URL: %d, want 200", resp.StatusCode)
			}
			if err := other.load(o); err != nil { // without previous_issuer
				t.Fatal(err)
			}
			if err := g.load(o); err == nil || !strings.Contains(err.Error(), "the store belongs to the issuer "+other.Issuer) {
				t.Errorf("the issuer of before, when all have changed: %v", err)
			}
			if answer := other.refresh(session.RefreshToken); answer.AccessToken == "" {
				t.Errorf("refresh at the end: %d %s", answer.status, answer.body)
			}
		})
	}
}
