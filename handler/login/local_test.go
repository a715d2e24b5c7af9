package login

import (
	"bytes"
	"errors"
	"hash/maphash"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// hashOf returns a cheap bcrypt hash.
func hashOf(t *testing.T, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func compareBcrypt(hash, plaintext []byte) (bool, error) {
	err := bcrypt.CompareHashAndPassword(hash, plaintext)
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return err == nil, err
}

// testLocal is a Local with limits.
type testLocal struct {
	*Local

	limits *Limits
}

func (l testLocal) try(t *testing.T, a Attempt) (tokens.Profile, error) {
	t.Helper()
	return l.Authenticate(t.Context(), l.limits, a)
}

func newTestLocal(t *testing.T, change func(*LocalConfig)) testLocal {
	t.Helper()
	cfg := LocalConfig{
		Name:    "local",
		Users:   []User{{Name: "alice", Hash: hashOf(t, "correct"), Claims: map[string]any{"email": "alice@example.com"}}},
		Compare: compareBcrypt, FakeHash: []byte(hashOf(t, "antitiming")),
	}
	if change != nil {
		change(&cfg)
	}
	l, err := NewLocal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return testLocal{l, NewLimits(clients.NewHashQueue(2))}
}

func TestLocalSignsIn(t *testing.T) {
	l := newTestLocal(t, nil)
	p, err := l.try(t, Attempt{Name: "alice", Password: "correct", Address: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Subject != "local|alice" || p.Login != "local" || p.Claims["email"] != "alice@example.com" || p.Claims["name"] != "alice" {
		t.Errorf("profile = %+v", p)
	}
	if got := l.Fingerprint(storage.TagSubject("local|alice")); got != p.Fingerprint || got == (storage.Fingerprint{}) {
		t.Errorf("fingerprint %x, profile's %x", got, p.Fingerprint)
	}
	if got := l.Fingerprint(storage.TagSubject("local|bob")); got != (storage.Fingerprint{}) {
		t.Errorf("an unknown user has the fingerprint %x", got)
	}
}

func TestLocalRefuses(t *testing.T) {
	l := newTestLocal(t, nil)
	for _, tc := range []struct{ name, user, password string }{
		{"wrong password", "alice", "wrong"},
		{"unknown user", "mallory", "correct"},
		{"empty password", "alice", ""},
		{"empty name", "", "correct"},
		{"password with a tail beyond the limit", "alice", "correct" + strings.Repeat("x", 5000)},
		{"huge name", strings.Repeat("a", 10_000), "correct"},
		{"NUL", "alice\x00", "correct"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := l.try(t, Attempt{Name: tc.user, Password: tc.password, Address: tc.name})
			if !errors.Is(err, ErrWrong) {
				t.Errorf("error = %v, want ErrWrong", err)
			}
		})
	}
}

// LOG-03: an unknown name costs exactly one comparison, with a hash like the users' own.
func TestUnknownNamesCostTheSame(t *testing.T) {
	var compared [][]byte
	l := newTestLocal(t, func(cfg *LocalConfig) {
		cfg.Compare = func(hash, _ []byte) (bool, error) {
			compared = append(compared, hash)
			return false, nil
		}
	})
	for _, name := range []string{"alice", "nobody", "somebody"} {
		compared = nil
		if _, err := l.try(t, Attempt{Name: name, Password: "x"}); !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
		if len(compared) != 1 || string(compared[0]) != l.cfg.Users[0].Hash {
			t.Errorf("%s: %d comparisons, want one with a configured hash", name, len(compared))
		}
	}
}

func TestAnUnknownNameNeverSignsIn(t *testing.T) {
	l := newTestLocal(t, func(cfg *LocalConfig) {
		cfg.Compare = func(_, _ []byte) (bool, error) { return true, nil } // the decoy's own password
	})
	if _, err := l.try(t, Attempt{Name: "mallory", Password: "correct"}); !errors.Is(err, ErrWrong) {
		t.Errorf("error = %v, want ErrWrong", err)
	}
}

// apart gives a limiter a seed by which no two of the keys share a count: of two,
// one in 16384 seeds makes them share.
func apart(b *limiter, keys ...string) {
	for {
		rows := make(map[*limiterRow]bool)
		for _, key := range keys {
			rows[b.row(key)] = true
		}
		if len(rows) == len(keys) {
			return
		}
		b.seed = maphash.MakeSeed()
	}
}

func TestLimitPerPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLocal(t, nil)
		apart(l.limits.pairs, "here local|alice", "elsewhere local|alice")
		try := func(password, address string) error {
			_, err := l.try(t, Attempt{Name: "alice", Password: password, Address: address})
			return err
		}
		for i := range freePerPair {
			if err := try("wrong", "here"); !errors.Is(err, ErrWrong) {
				t.Fatalf("try %d: %v", i, err)
			}
		}
		wait := new(WaitError)
		if err := try("correct", "here"); !errors.As(err, &wait) || wait.Busy || wait.After <= 0 {
			t.Fatalf("after %d failures: %v", freePerPair, err)
		}
		if err := try("correct", "elsewhere"); err != nil {
			t.Fatalf("the owner, from another address: %v", err)
		}
		time.Sleep(wait.After)
		if err := try("wrong", "here"); !errors.Is(err, ErrWrong) {
			t.Fatalf("after the delay: %v", err)
		}
		first := wait.After
		if err := try("wrong", "here"); !errors.As(err, &wait) || wait.After <= first {
			t.Fatalf("the delay does not grow: %v then %v", first, wait.After)
		}
		time.Sleep(longestWait)
		if err := try("correct", "here"); err != nil {
			t.Fatalf("after the longest delay: %v", err)
		}
		for range freePerPair {
			if err := try("wrong", "here"); !errors.Is(err, ErrWrong) {
				t.Fatalf("a success clears the count: %v", err)
			}
		}
	})
}

// TestLimitPerAccount guesses from many addresses; a forged X-Forwarded-For is
// none of them (LOG-07).
func TestLimitPerAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLocal(t, nil)
		try := func(password string, address int) error {
			_, err := l.try(t, Attempt{Name: "alice", Password: password, Address: "address " + strconv.Itoa(address)})
			return err
		}
		for i := range freePerAccount {
			if err := try("wrong", i); !errors.Is(err, ErrWrong) {
				t.Fatalf("try %d: %v", i, err)
			}
		}
		wait := new(WaitError)
		if err := try("correct", 999); !errors.As(err, &wait) || wait.Busy {
			t.Fatalf("after %d failures: %v", freePerAccount, err)
		}
	})
}

// TestLimitLeaks: an address where people fail now and then, and log in, is not
// slowed down for ever, and an attacker there does not keep an owner out.
func TestLimitLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLocal(t, nil)
		try := func(name, password, address string) error {
			_, err := l.try(t, Attempt{Name: name, Password: password, Address: address})
			return err
		}
		apart(l.limits.places, "office", "home")
		for i := range freePerAddress {
			_ = try("user"+strconv.Itoa(i), "wrong", "office")
		}
		if err := try("alice", "correct", "office"); err == nil {
			t.Fatal("the address is not slowed down")
		}
		for range 10 { // the attacker does not stop, and is refused
			_ = try("alice", "wrong", "office")
		}
		if err := try("alice", "correct", "home"); err != nil {
			t.Errorf("the owner at home: %v", err)
		}
		time.Sleep(2 * failureLeak)
		for range 20 { // successes do not count
			if err := try("alice", "correct", "office"); err != nil {
				t.Fatalf("two minutes later: %v", err)
			}
		}
	})
}

func TestLimitPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLocal(t, nil)
		apart(l.limits.places, addressKey("2001:db8::1"), addressKey("2001:db8:1::1"))
		for i := range freePerAddress {
			name := "user" + string(rune('a'+i))
			address := "2001:db8::" + string(rune('1'+i%9)) // one /64
			if _, err := l.try(t, Attempt{Name: name, Password: "x", Address: address}); !errors.Is(err, ErrWrong) {
				t.Fatalf("try %d: %v", i, err)
			}
		}
		wait := new(WaitError)
		_, err := l.try(t, Attempt{Name: "alice", Password: "correct", Address: "2001:db8::ffff"})
		if !errors.As(err, &wait) {
			t.Errorf("the same network: %v, want a WaitError", err)
		}
		if _, err = l.try(t, Attempt{Name: "alice", Password: "correct", Address: "2001:db8:1::1"}); err != nil {
			t.Errorf("another network: %v", err)
		}
	})
}

// Guesses that are sent at once do not pass the limiters together.
func TestLimitCountsBeforeItCompares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var compared atomic.Int64
		l := newTestLocal(t, func(cfg *LocalConfig) {
			cfg.Compare = func(_, _ []byte) (bool, error) { compared.Add(1); return false, nil }
		})
		l.limits = NewLimits(clients.NewHashQueue(100))
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, _ = l.try(t, Attempt{Name: "alice", Password: "x"})
			})
		}
		wg.Wait()
		if n := compared.Load(); n != freePerPair {
			t.Errorf("%d of 100 parallel guesses were compared, want %d", n, freePerPair)
		}
	})
}

func TestUsersFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.htpasswd")
	write := func(text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	var log bytes.Buffer
	l := newTestLocal(t, func(cfg *LocalConfig) {
		cfg.UsersFile = path
		cfg.Clock = func() time.Time { return now }
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	try := func(name, password string) error {
		now = now.Add(time.Hour) // past every delay, and due for a look
		_, err := l.try(t, Attempt{Name: name, Password: password})
		return err
	}
	write("# people\n\nbob:"+hashOf(t, "first")+"\n", time.Hour)
	if err := l.Load(); err != nil {
		t.Fatal(err)
	}
	if err := try("bob", "first"); err != nil {
		t.Errorf("a user of the file: %v", err)
	}
	if err := try("alice", "correct"); err != nil {
		t.Errorf("a user of the configuration: %v", err)
	}
	if users := l.Users(); !slices.Equal(users, []string{"alice", "bob"}) {
		t.Errorf("the users are %q", users)
	}
	before := l.Fingerprint(storage.TagSubject("local|bob"))
	write("bob:"+hashOf(t, "second")+"\n", time.Minute)
	if err := try("bob", "second"); err != nil {
		t.Errorf("after a change: %v", err)
	}
	if after := l.Fingerprint(storage.TagSubject("local|bob")); after == before {
		t.Error("a new password has the old fingerprint")
	}
	write("bob:$apr1$oops\n", time.Second)
	if err := try("bob", "second"); err != nil {
		t.Errorf("a broken file: %v", err)
	}
	if !strings.Contains(log.String(), path+":1") || strings.Contains(log.String(), "$apr1$") {
		t.Errorf("the log does not name file:line, or shows the hash: %s", log.String())
	}
	write("carol:"+hashOf(t, "x")+"\n", 0)
	if err := try("bob", "second"); !errors.Is(err, ErrWrong) {
		t.Errorf("a removed user: %v", err)
	}
	if got := l.Fingerprint(storage.TagSubject("local|bob")); got != (storage.Fingerprint{}) {
		t.Error("a removed user has a fingerprint")
	}
}

func TestUsersFileErrors(t *testing.T) {
	good := hashOf(t, "x")
	for _, tc := range []struct{ name, text, want string }{
		{"no colon", "# a\nbob\n", ":2: the line is not name:hash"},
		{"md5", "bob:$apr1$x$y\n", ":1: the hash is neither bcrypt nor argon2id"},
		{"sha1", "bob:{SHA}abc\n", ":1: the hash is neither"},
		{"cut bcrypt", "bob:" + good[:40] + "\n", ":1: the bcrypt hash is incomplete"},
		{"as configured", "alice:" + good + "\n", ":1: duplicate user: remove one"},
		{"as configured, in capitals", "Alice:" + good + "\n", ":1: duplicate user: it differs from another in capitals only"},
		{"space in name", "bob smith:" + good + "\n", ":1: the name must be"},
		{"missing", "", "no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users")
			if tc.text != "" {
				if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l := newTestLocal(t, func(cfg *LocalConfig) { cfg.UsersFile = path })
			err := l.Load()
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error = %v, want %s%s", err, path, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), good) {
				t.Error("the error shows the hash")
			}
		})
	}
}

func TestNewLocalErrors(t *testing.T) {
	hash := hashOf(t, "x")
	for _, tc := range []struct {
		name  string
		users []User
	}{
		{"twice", []User{{Name: "a", Hash: hash}, {Name: "a", Hash: hash}}},
		{"S16: twice but for capitals", []User{{Name: "a", Hash: hash}, {Name: "A", Hash: hash}}},
		{"no hash", []User{{Name: "a"}}},
		{"password in the place of a hash", []User{{Name: "a", Hash: "hunter2"}}},
		{"colon", []User{{Name: "a:b", Hash: hash}}},
		{"empty name", []User{{Hash: hash}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := NewLocal(LocalConfig{Name: "local", Users: tc.users, Compare: compareBcrypt, FakeHash: []byte(hash)})
			if err == nil {
				t.Error("no error")
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error shows the password")
			}
		})
	}
}

func FuzzParseUsers(f *testing.F) {
	f.Add("bob:$2a$04$x\n# c\n\n:\n")
	f.Add("\ufeffa:b:c\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		users, err := parseUsers("file", strings.NewReader(text))
		if err != nil {
			return
		}
		for _, u := range users {
			if strings.ContainsAny(u.Name, ":\n") || strings.ContainsAny(u.Hash, ":\n") {
				t.Errorf("parsed %q", u.Name)
			}
		}
		_, _ = newUserSet("local", users, nil)
	})
}
