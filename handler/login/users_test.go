package login

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestUsersFileWithBadLines: S27: a line that cannot be used keeps nobody else out, and
// the log names it.
func TestUsersFileWithBadLines(t *testing.T) {
	good := hashOf(t, "x")
	path := filepath.Join(t.TempDir(), "users")
	text := "bob:" + good + "\nnobody\ncarol:$apr1$secret\nBOB:" + good + "\ndave:" + good + "\n" + strings.Repeat("odd\n", 100)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	l := newTestLocal(t, func(cfg *LocalConfig) { cfg.UsersFile, cfg.Logger = path, slog.New(slog.NewTextHandler(&log, nil)) })
	if err := l.Load(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "bob", "dave"} {
		password := map[bool]string{true: "correct", false: "x"}[name == "alice"]
		if _, err := l.try(t, Attempt{Name: name, Password: password, Address: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, want := range []string{":2: the line is not name:hash", ":3: the hash is neither", ":4: duplicate user"} {
		if !strings.Contains(log.String(), path+want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
	if n := strings.Count(log.String(), "cannot be used"); n != maxBadLines || strings.Contains(log.String(), "$apr1$secret") {
		t.Errorf("%d lines in the log, want %d and no hash:\n%s", n, maxBadLines, log.String())
	}
}

// TestSpellingsOfAName: S16: spaces around a name and capitals do not count, the subject is
// as configured, and all spellings share one count of failures.
func TestSpellingsOfAName(t *testing.T) {
	l := newTestLocal(t, func(cfg *LocalConfig) {
		cfg.Users = append(cfg.Users, User{Name: "Bob.Smith@example.com", Hash: hashOf(t, "correct")})
	})
	for spelling, want := range map[string]string{
		"alice ": "local|alice", "Alice": "local|alice", "\tALICE\u00a0": "local|alice",
		"bob.smith@example.com": "local|Bob.Smith@example.com", "Bob.Smith@Example.com ": "local|Bob.Smith@example.com",
	} {
		p, err := l.try(t, Attempt{Name: spelling, Password: "correct", Address: spelling})
		if err != nil || p.Subject != want || l.Subject(spelling) != want {
			t.Errorf("%q: subject %q, %q, %v, want %s", spelling, p.Subject, l.Subject(spelling), err, want)
		}
	}
	if users := l.Users(); !slices.Equal(users, []string{"Bob.Smith@example.com", "alice"}) {
		t.Errorf("the users are %q", users)
	}
	for _, known := range []string{"alice", "mallory"} {
		for i := range freePerPair {
			spelling := []string{known, strings.ToUpper(known), known + " "}[i%3]
			if _, err := l.try(t, Attempt{Name: spelling, Password: "wrong", Address: "one of " + known}); !errors.Is(err, ErrWrong) {
				t.Fatalf("try %d as %q: %v", i, spelling, err)
			}
		}
		wait := new(WaitError)
		if _, err := l.try(t, Attempt{Name: " " + known, Password: "wrong", Address: "one of " + known}); !errors.As(err, &wait) {
			t.Errorf("%s: %d failures in three spellings: %v, want a WaitError", known, freePerPair, err)
		}
	}
}
