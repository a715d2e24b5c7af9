package login

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestM9ProfilesFile: a file of profiles says more of the users of the configuration and of the users
// file, is read when it is replaced, and stays as it was where it cannot be used.
func TestM9ProfilesFile(t *testing.T) {
	dir := t.TempDir()
	users, path := filepath.Join(dir, "users.htpasswd"), filepath.Join(dir, "people.json")
	replace := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	var log bytes.Buffer
	hash := hashOf(t, "first")
	replace(users, "bob:"+hash+"\n")
	replace(path, `{
		"Bob": {"email": "bob@example.com", "name": "Bob", "groups": ["staff", "eu"], "claims": {"department": "sales", "floors": [1, 2]}},
		"alice": {"email": "other@example.com", "groups": ["staff"]},
		"carol": {"groups": ["staff"]}
	}`)
	l := newTestLocal(t, func(cfg *LocalConfig) {
		cfg.UsersFile, cfg.ProfilesFile = users, path
		cfg.Clock = func() time.Time { return now }
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		cfg.Users = append(cfg.Users, User{Name: "dora", Hash: hash, Groups: []string{"admins"}})
	})
	if err := l.Load(); err != nil {
		t.Fatal(err)
	}
	groups := func(name string) string {
		now = now.Add(time.Hour) // due for a look
		login, groups, ok := Groups([]Login{l.Local}).LocalGroups(storage.TagSubject("local|" + name))
		if ok != (login == "local") {
			t.Errorf("%s is of %q", name, login)
		}
		return fmt.Sprint(ok, groups)
	}
	says := func(name, want string) {
		t.Helper()
		if got := groups(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	says("bob", "true [staff eu]")
	says("alice", "true [staff]")
	says("dora", "true [admins]")
	says("carol", "false []")
	if n := strings.Count(log.String(), "user=carol"); n != 1 || strings.Contains(log.String(), "user=bob") {
		t.Errorf("%d warnings of carol:\n%s", n, &log)
	}
	p, err := l.try(t, Attempt{Name: "bob", Password: "first"})
	if err != nil || p.Claims["email"] != "bob@example.com" || p.Claims["email_verified"] != true || p.Claims["department"] != "sales" || p.Claims["name"] != "Bob" || p.Claims["nickname"] != "bob" {
		t.Errorf("bob: %v %v", p.Claims, err)
	}
	if p, err = l.try(t, Attempt{Name: "alice", Password: "correct"}); err != nil || p.Claims["email"] != "alice@example.com" {
		t.Errorf("what the configuration says of alice goes first: %v %v", p.Claims, err)
	}
	if all := l.Groups(); !slices.Equal(all, []string{"admins", "eu", "staff"}) {
		t.Errorf("the groups are %q", all)
	}
	if !slices.Contains(l.Claims(), "department") {
		t.Errorf("announced: %q", l.Claims())
	}

	replace(path, `{"bob": {}}`)
	says("bob", "true []")
	says("alice", "true []")
	replace(path, `{"bob": {"groups": ["eu"]`)
	says("bob", "true []")
	if !strings.Contains(log.String(), "people.json:1: unexpected end of JSON input") {
		t.Errorf("the log does not name the line:\n%s", &log)
	}
	replace(users, "bob:"+hash+"\nerin:"+hash+"\n") // beside a file that cannot be used
	says("erin", "true []")
	replace(path, `{"erin": {"groups": ["eu"]}}`)
	says("erin", "true [eu]")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	says("erin", "true [eu]")
	replace(users, "bob:"+hash+"\n") // removed
	says("erin", "false []")
}

// TestM9ProfilesFileErrors: errors name the line and the user.
func TestM9ProfilesFileErrors(t *testing.T) {
	reserved := func(claim string) bool { return claim == "scope" }
	for _, tt := range []struct {
		text string
		line int
		want string
	}{
		{"", 1, "unexpected end"},
		{"[]", 1, "it is not an object of users"},
		{"null", 1, "it is not an object of users"},
		{"{\n\"bob\": {},\n}", 3, "invalid character"},
		{"{}\n{}", 2, "after top-level value"},
		{"{\n\"bob\": {},\n\"eve\": []}", 3, `user "eve": json: cannot unmarshal array`},
		{"{\n\"bob\": {\"groups\": \"staff\"}}", 2, `user "bob": json: cannot unmarshal string`},
		{"{\n\"bob\": {\n\"group\": [\"staff\"]}}", 2, `user "bob": json: unknown field "group": it has email, name, groups`},
		{"{\n\"bob\": {},\n\"Bob\": {}}", 3, `user "Bob": is there before, as "bob"`},
		{"{\n\"bob\": {\"email\": \"Bob <bob@example.com>\"}}", 2, `user "bob": email: "Bob <bob@example.com>" is not an address`},
		{"{\n\"bob\": {\"groups\": [\"staff\", \"\"]}}", 2, `user "bob": groups: "" is empty`},
		{"{\n\"bob\": {\"groups\": [\"a\\nb\"]}}", 2, `user "bob": groups: "a\nb" is not the name of a group`},
		{"{\n\"bob\": {\"claims\": {\"scope\": \"admin\"}}}", 2, `user "bob": claims: "scope" is not for a profile to say`},
		{"{\n\"bob\": {\"claims\": {\"name\": \"Bob\"}}}", 2, `user "bob": claims: "name" is not for a profile to say`},
		{"{\n\"bob\": {\"claims\": {\"a\": \"" + strings.Repeat("x", 4096) + "\"}}}", 2, `user "bob": the claims take`},
	} {
		_, line, err := parseProfiles([]byte(tt.text), reserved)
		if err == nil || line != tt.line || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q: line %d: %v, want line %d: %s", tt.text, line, err, tt.line, tt.want)
		}
	}
	known, _, err := parseProfiles([]byte(`{"bob": {"claims": {"floors": [1]}}, "eve": null}`), reserved)
	if err != nil || len(known) != 2 || len(known.of("EVE").Groups) != 0 || len(known.of("mallory").all()) != 0 {
		t.Errorf("%v, %v", known, err)
	}
	if _, err := NewLocal(LocalConfig{
		Name: "local", Compare: compareBcrypt, FakeHash: []byte("x"),
		Users: []User{{Name: "bob", Hash: hashOf(t, "x"), Claims: map[string]any{"a": strings.Repeat("x", 4096)}}},
	}); err == nil || !strings.Contains(err.Error(), `user "bob": the claims take`) {
		t.Errorf("long claims in the configuration: %v", err)
	}
	if _, err := NewLocal(LocalConfig{
		Name: "local", Compare: compareBcrypt, FakeHash: []byte("x"), Users: []User{{Name: "bob", Hash: hashOf(t, "x"), Groups: []string{""}}},
	}); err == nil || !strings.Contains(err.Error(), `the group "" is empty`) {
		t.Errorf("an empty group in the configuration: %v", err)
	}
	if _, _, err := readProfiles(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}
