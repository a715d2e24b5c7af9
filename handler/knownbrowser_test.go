package handler

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
)

// fromTestAddress takes the person's address from a header.
func fromTestAddress(_ *tokens.Config, cfg *Config) {
	cfg.ClientIP = func(r *http.Request) string { return r.Header.Get("X-Test-Address") }
}

// guess tries so many wrong passwords, four from an address.
func (g *gateway) guess(name string, times int) {
	g.t.Helper()
	for i := range times {
		g.browser().signIn(authorizeURL(), name, "guess", "X-Test-Address", fmt.Sprint("192.0.2.", i/4))
	}
}

// A8: while somebody guesses alice's password from everywhere, she gets in with
// a browser that she has used before, and nobody else is let through.
func TestA8KnownBrowserSignsIn(t *testing.T) {
	g := newGateway(t, fromTestAddress)
	hers, new := g.browser(), g.browser()
	location(t, hers.signIn(authorizeURL(), "alice", testPassword))
	c := hers.cookies[g.cookies.known]
	if c == nil || c.MaxAge != 400*24*3600 || !c.HttpOnly || !c.Secure || c.Name != "__Host-gatehouse_known" || strings.Contains(c.Value, "alice") {
		t.Fatalf("cookie %v", c)
	}
	delete(hers.cookies, g.cookies.session) // signed out long ago
	g.guess("alice", 56)
	again := authorizeURL("prompt", "login")
	for range 5 {
		location(t, hers.signIn(again, "alice", testPassword, "X-Test-Address", "198.51.100.7"))
	}
	if len(strings.Split(hers.cookies[g.cookies.known].Value, ".")) != 1 {
		t.Error("one account has several marks")
	}
	for name, b := range map[string]*browser{"a new browser": new, "one that is known for bob": g.knownFor("bob")} {
		if res := b.signIn(again, "alice", testPassword, "X-Test-Address", "198.51.100.7"); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	thief := g.browser() // has stolen the mark, and nothing else
	thief.cookies[g.cookies.known] = hers.cookies[g.cookies.known]
	wrong := 0
	for range 30 {
		if res := thief.signIn(authorizeURL(), "alice", "guess", "X-Test-Address", "203.0.113.9"); res.StatusCode == http.StatusForbidden {
			wrong++
		}
	}
	if wrong != 10 {
		t.Errorf("a stolen mark is good for %d guesses at once, want 10", wrong)
	}
	if res := thief.get(authorizeURL("prompt", "none")); !strings.Contains(res.Header.Get("Location"), "login_required") {
		t.Error("a stolen mark is a login")
	}
}

// knownFor returns a browser in which somebody has signed in.
func (g *gateway) knownFor(name string) *browser {
	g.t.Helper()
	b := g.browser()
	location(g.t, b.signIn(authorizeURL(), name, testPassword))
	delete(b.cookies, g.cookies.session)
	return b
}

// A8: what makes a browser known, and what does not.
func TestA8Marks(t *testing.T) {
	g := newGateway(t, fromTestAddress)
	b := g.knownFor("alice")
	mark := b.cookies[g.cookies.known].Value
	request := func(value string) *http.Request {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "/login", nil)
		r.Header.Set("Cookie", g.cookies.known+"="+value)
		return r
	}
	knownAs := func(s *Server, value, name string) bool {
		l := s.Logins[0].(login.Password)
		return s.knownAs(request(value), l, l.Subject(name)) != ""
	}
	flipped := []byte(mark)
	flipped[30] ^= 1
	raw, _ := base64.RawURLEncoding.DecodeString(mark)
	younger := base64.RawURLEncoding.EncodeToString(append(append(bytes.Clone(raw[:16]), 0xff, 0xff, 0xff, 0x7f), raw[20:]...))
	for _, tc := range []struct {
		name, value, user string
		want              bool
	}{
		{"hers", mark, "alice", true},
		{"behind others", "x." + mark, "alice", true},
		{"another account", mark, "bob", false},
		{"an account that does not exist", mark, "nobody", false},
		{"flipped", string(flipped), "alice", false},
		{"made younger", younger, "alice", false},
		{"too many", strings.Repeat("x.", knownMarks) + mark, "alice", false},
		{"zero", base64.RawURLEncoding.EncodeToString(make([]byte, knownMarkLen)), "nobody", false},
		{"none", "", "alice", false},
		{"long", strings.Repeat("A.", 4000), "alice", false},
	} {
		if got := knownAs(g.Server, tc.value, tc.user); got != tc.want {
			t.Errorf("%s: known %v, want %v", tc.name, got, tc.want)
		}
	}
	before := g.Server.Secrets
	first, second, third := bytes.Repeat([]byte("s"), 32), bytes.Repeat([]byte("n"), 32), bytes.Repeat([]byte("o"), 32)
	for name, tc := range map[string]struct {
		values [][]byte
		want   bool
	}{
		"old new": {[][]byte{first, second}, true}, "new old": {[][]byte{second, first}, true}, "others": {[][]byte{second, third}, false},
	} {
		derived, err := secrets.NewSecrets(tc.values...)
		if err != nil {
			t.Fatal(err)
		}
		g.Server.Secrets = func() *secrets.Secrets { return derived } // another node, or after a restart
		if got := knownAs(g.Server, mark, "alice"); got != tc.want {
			t.Errorf("secrets %s: known %v, want %v", name, got, tc.want)
		}
	}
	g.Server.Secrets = before
	hash, err := bcrypt.GenerateFromPassword([]byte("another"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := login.NewLocal(login.LocalConfig{
		Name: "local", FakeHash: hash, Users: []login.User{{Name: "alice", Hash: string(hash)}},
		Compare: func(_, _ []byte) (bool, error) { return false, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if g.knownAs(request(mark), changed, "local|alice") != "" {
		t.Error("a browser that knew the old password is known under the new one")
	}
	g.pass(knownFor * 24 * time.Hour)
	if knownAs(g.Server, mark, "alice") {
		t.Error("a mark is good for ever")
	}
}

// Several people use one browser: it is known for the last five.
func TestA8SharedBrowser(t *testing.T) {
	g := newGateway(t, fromTestAddress)
	b := g.browser()
	for _, name := range []string{"alice", "bob", "alice", "bob"} {
		location(t, b.signIn(authorizeURL("prompt", "login"), name, testPassword))
	}
	if n := len(strings.Split(b.cookies[g.cookies.known].Value, ".")); n != 2 {
		t.Errorf("%d marks, want 2", n)
	}
	g.guess("alice", 56)
	location(t, b.signIn(authorizeURL("prompt", "login"), "alice", testPassword, "X-Test-Address", "198.51.100.7"))
}

// Nothing about a known browser tells whether an account exists: answers to
// wrong passwords are alike, and set no mark.
func TestA8TellsNothing(t *testing.T) {
	g := newGateway(t, fromTestAddress)
	b := g.knownFor("bob")
	before := b.cookies[g.cookies.known].Value
	for _, name := range []string{"alice", "nobody", "bob"} {
		res := b.signIn(authorizeURL(), name, "wrong", "X-Test-Address", "192.0.2.1")
		if res.StatusCode != http.StatusForbidden || b.cookies[g.cookies.known].Value != before {
			t.Errorf("%s: %d, or another mark", name, res.StatusCode)
		}
	}
}
