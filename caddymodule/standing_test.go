package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/crypto/bcrypt"
)

var aliceBlock = regexp.MustCompile(`user alice \S+ \{[^}]*\}`)

// TestH19UsersFile: who is taken out of the users file, or has another password there, is out
// at the guard within seconds, and after a restart; nobody else is.
func TestH19UsersFile(t *testing.T) {
	g := newGateway(t)
	path := filepath.Join(g.dir, "users")
	users := func(lines ...string) {
		t.Helper()
		if err := os.WriteFile(path+".next", []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".next", path); err != nil {
			t.Fatal(err)
		}
	}
	another, err := bcrypt.GenerateFromPassword([]byte("another"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := "alice:"+g.Hash, "bob:"+string(another)
	users(alice, bob)
	file := aliceBlock.ReplaceAll(g.caddyfile(gatewayOptions{}), []byte("users_file "+path))
	start := func() {
		t.Helper()
		if err := g.loadCaddyfile(file); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	start()
	session, machine := g.login(), g.machineToken()
	status := func(token string) int {
		resp, _ := g.call("/orders", token)
		return resp.StatusCode
	}
	becomes := func(what string, want int) {
		t.Helper()
		eventually(t, what, func() bool { return status(session.AccessToken) == want })
		if got := status(machine); got != http.StatusOK {
			t.Errorf("%s: a machine gets %d", what, got)
		}
	}
	becomes("alice passes", http.StatusOK)
	users(bob)
	becomes("alice, who was removed, is refused", http.StatusUnauthorized)
	if !strings.Contains(g.logs(), `"msg":"access_refused","outcome":"user_changed"`) {
		t.Error("the log does not say why")
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	start()
	if got := status(session.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("after a restart alice gets %d", got)
	}
	users(bob, alice)
	becomes("alice, who is back, passes", http.StatusOK)
	users(bob, "alice:"+string(another))
	becomes("alice, who has another password, is refused", http.StatusUnauthorized)
	users(alice)
	becomes("the password is that of before", http.StatusOK)
}
