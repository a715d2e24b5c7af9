package caddymodule

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// loginForm opens the login page and returns its ticket.
func (g *gateway) loginForm() string {
	g.t.Helper()
	challenge := sha256.Sum256([]byte(strings.Repeat("canary-verifier-", 3)))
	query := url.Values{
		"response_type": {"code"}, "client_id": {"my-spa"}, "redirect_uri": {testCallback}, "scope": {"openid"}, "prompt": {"login"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	resp, page := g.do(g.request(g.url("/authorize?"+query.Encode()), nil))
	ticket := ticketField.FindStringSubmatch(page)
	if ticket == nil {
		g.t.Fatalf("no login page: %d %s", resp.StatusCode, page)
	}
	return ticket[1]
}

// postForm sends a form of one of our pages.
func (g *gateway) postForm(path string, form url.Values) (reply, string) {
	g.t.Helper()
	return g.do(g.request(g.url(path), form, "Origin", strings.TrimSuffix(g.Issuer, "/")))
}

func (g *gateway) tryPassword(ticket, name, password string) (reply, string) {
	g.t.Helper()
	return g.postForm("/login", url.Values{"request": {ticket}, "login": {"local"}, "username": {name}, "password": {password}, "action": {"login"}})
}

// A12: a reload gives nobody who guesses passwords a new allowance.
func TestA12ReloadKeepsLoginLimits(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	ticket := g.loginForm()
	compared := func() (n int) {
		for range 8 {
			if resp, _ := g.tryPassword(ticket, "alice", "wrong"); resp.StatusCode == http.StatusForbidden {
				n++
			} else if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
				t.Errorf("a wrong password: %d %v", resp.StatusCode, resp.Header)
			}
		}
		return n
	}
	if n := compared(); n < 5 {
		t.Fatalf("%d of the first tries were compared, want 5 at least", n)
	}
	for i := range 3 {
		if err := g.load(gatewayOptions{OAuth: fmt.Sprintf("session {\n lifetime %dd\n}", i+2)}); err != nil {
			t.Fatal(err)
		}
		if n := compared(); n > 4 { // five are free, and the delays of some seconds may be over meanwhile
			t.Errorf("after reload %d, %d of 8 guesses were compared", i+1, n)
		}
	}
}

// A12: nor one that floods the store with requests of devices.
func TestA12ReloadKeepsDeviceBudget(t *testing.T) {
	options := gatewayOptions{OAuth: "client my-tv {\n type native\n device_code\n apis " + testAPI + "\n}"}
	g := startGateway(t, options)
	ask := func(most int) (n int) {
		for range most {
			resp, body := g.do(g.request(g.url("/oauth/device/code"), url.Values{"client_id": {"my-tv"}}))
			switch resp.StatusCode {
			case http.StatusOK:
				n++
			case http.StatusTooManyRequests:
				return n
			default:
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
		}
		return n
	}
	if n := ask(1000); n < 100 || n == 1000 {
		t.Fatalf("%d devices asked before one was refused", n)
	}
	begun := time.Now()
	if err := g.load(options); err != nil {
		t.Fatal(err)
	}
	if n := ask(100); float64(n) > 2*time.Since(begun).Seconds()+1 {
		t.Errorf("after a reload another %d devices asked in %v", n, time.Since(begun))
	}
}

// A12: a form that was used is used after a reload, too.
func TestA12ReloadKeepsUsedTickets(t *testing.T) {
	options := gatewayOptions{Client: "consent always"}
	g := startGateway(t, options)
	resp, page := g.tryPassword(g.loginForm(), "alice", testPassword)
	consent := ticketField.FindStringSubmatch(page)
	if consent == nil {
		t.Fatalf("no consent page: %d %s", resp.StatusCode, page)
	}
	allow := func() string {
		resp, _ := g.postForm("/consent", url.Values{"request": {consent[1]}, "action": {"allow"}})
		location, err := url.Parse(resp.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return location.Query().Get("code")
	}
	first := allow()
	if first == "" {
		t.Fatal("no code")
	}
	if err := g.load(options); err != nil {
		t.Fatal(err)
	}
	if again := allow(); again != "" && again != first {
		t.Error("a consent form that was used gives another code after a reload")
	}
}
