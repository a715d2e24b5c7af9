package login

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// LocalConfig configures a Local.
type LocalConfig struct {
	Name      string // "local" where there is one; unique among the logins
	Label     string // for people; "" is the Name
	Users     []User
	UsersFile string // htpasswd: "name:hash" lines; read at Load and whenever it changes
	// Compare compares a bcrypt or argon2id hash with a password. Required.
	Compare func(hash, plaintext []byte) (bool, error)
	// FakeHash is compared with where no user is configured at all. Required.
	FakeHash []byte
	Clock    func() time.Time // nil is time.Now
	Logger   *slog.Logger     // nil logs nothing; says when a changed UsersFile cannot be used
}

// Local signs in the users of the configuration and of an htpasswd file. Safe
// for concurrent use.
type Local struct {
	cfg  LocalConfig
	seed maphash.Seed

	users   atomic.Pointer[userSet]
	checked atomic.Int64 // when the file was last looked at, in Unix nanoseconds
	mu      sync.Mutex   // held while the file is read
	file    os.FileInfo  // of the file as read
	readAt  time.Time
}

const (
	maxName     = 256  // bytes; longer names are nobody's
	maxPassword = 1024 // bytes; longer ones are not compared
)

// maxBadLines is how many lines of a users file are named in the log that cannot be used.
const maxBadLines = 20

// lookEvery is how often the users file is looked at, at most.
const lookEvery = time.Second

// NewLocal makes a Local. Errors name the user. It does no I/O.
func NewLocal(cfg LocalConfig) (*Local, error) {
	if cfg.Compare == nil || len(cfg.FakeHash) == 0 {
		return nil, errors.New("making login: Compare and FakeHash are required")
	}
	if cfg.Name == "" || strings.Contains(cfg.Name, "|") {
		return nil, fmt.Errorf("making login: the name %q must not be empty or hold |", cfg.Name)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Local{cfg: cfg, seed: maphash.MakeSeed()}
	set, err := newUserSet(cfg.Name, cfg.Users)
	if err != nil {
		return nil, err
	}
	l.users.Store(set)
	return l, nil
}

// Name returns the login's name.
func (l *Local) Name() string { return l.cfg.Name }

// Label returns the login's name for people.
func (l *Local) Label() string {
	if l.cfg.Label == "" {
		return l.cfg.Name
	}
	return l.cfg.Label
}

// Subject returns the subject of the user whom this name means: it is found without
// regard to capitals and to spaces around it.
func (l *Local) Subject(name string) string {
	if u := l.current().named(name); u != nil {
		return subject(l.cfg.Name, u.name)
	}
	return subject(l.cfg.Name, foldName(name))
}

// Users returns the names of all users, in order; see Lister.
func (l *Local) Users() []string {
	users := l.current().byName
	names := make([]string, 0, len(users))
	for _, u := range users {
		names = append(names, u.name)
	}
	slices.Sort(names)
	return names
}

// Authenticate checks a name and a password; see Login. An unknown name costs
// the same time as a known one. A try is counted when its turn has come, so that
// many who sign in at once from one address do not hold each other up, and many
// guesses that are sent at once get no further than if they came one by one.
func (l *Local) Authenticate(ctx context.Context, limits *Limits, a Attempt) (tokens.Profile, error) {
	try := limits.of(l.Subject(a.Name), a)
	if wait := try.wait(l.cfg.Clock()); wait > 0 {
		return tokens.Profile{}, &WaitError{After: wait}
	}
	u, hash := l.find(a.Name)
	try.job.Hash = hash
	var verdict error
	err := limits.hashes.Do(ctx, try.job, func() (computed bool) {
		undo, wait := try.begin(l.cfg.Clock())
		if wait > 0 {
			verdict = &WaitError{After: wait}
			return false
		}
		if verdict = l.verdict(u, hash, a); verdict == nil {
			undo()
			try.succeeded(l.cfg.Clock())
		}
		return true
	})
	if err != nil {
		return tokens.Profile{}, waitFor(err)
	}
	if verdict != nil {
		return tokens.Profile{}, verdict
	}
	return u.profile(l.cfg.Name), nil
}

// find returns the user of a name and their hash, or nil and a decoy.
func (l *Local) find(name string) (*user, string) {
	set := l.current()
	if u := set.named(name); u != nil {
		return u, u.hash
	}
	return nil, l.decoy(set, foldName(name))
}

// verdict compares the password with the hash.
func (l *Local) verdict(u *user, hash string, a Attempt) error {
	ok, err := l.compare(hash, a.Password)
	if err != nil {
		l.cfg.Logger.Error("comparing password hash", "login", l.cfg.Name, "error", err)
	}
	if err != nil || !ok || u == nil || len(a.Name) > maxName || len(a.Password) > maxPassword {
		return ErrWrong
	}
	return nil
}

// waitFor tells a person whose turn did not come when to come again, if they are there.
func waitFor(err error) error {
	if busy, ok := errors.AsType[*clients.HashBusyError](err); ok {
		return &WaitError{After: busy.After, Busy: true}
	}
	return fmt.Errorf("waiting to check password: %w", err) // they have left
}

// compare compares a password of bounded length.
func (l *Local) compare(hash, password string) (bool, error) {
	return l.cfg.Compare([]byte(hash), []byte(password[:min(len(password), maxPassword)]))
}

// decoy returns the hash to compare with for an unknown name: that of some
// user, always the same for one name, so that unknown names take as long as
// users do, whatever the costs of their hashes are.
func (l *Local) decoy(set *userSet, name string) string {
	if len(set.hashes) == 0 {
		return string(l.cfg.FakeHash)
	}
	return set.hashes[maphash.String(l.seed, name)%uint64(len(set.hashes))]
}

// Fingerprint returns the fingerprint of a user's hash; see tokens.Accounts.
func (l *Local) Fingerprint(tag storage.UserTag) storage.Fingerprint {
	u, ok := l.current().byTag[tag]
	if !ok {
		return storage.Fingerprint{}
	}
	return storage.FingerprintOf(u.hash)
}

// Mark returns the mark of a user's password; see Lister.
func (l *Local) Mark(tag storage.UserTag) *storage.Mark {
	if u, ok := l.current().byTag[tag]; ok {
		return &u.mark
	}
	return nil
}

// Load reads the users file. A line that cannot be used is logged by its number, and
// the other users can sign in; the error is that no line can, or the file. Without
// Load the first sign-in does so.
func (l *Local) Load() error {
	if l.cfg.UsersFile == "" {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read()
}

// current returns the users, and reads the file again when it has changed. A
// file that cannot be used leaves the users as they were: a slip in an editor
// must not lock everybody out.
func (l *Local) current() *userSet {
	if l.cfg.UsersFile == "" {
		return l.users.Load()
	}
	now := l.cfg.Clock().UnixNano()
	if last := l.checked.Load(); now-last < int64(lookEvery) && last != 0 {
		return l.users.Load()
	}
	if l.checked.Load() == 0 {
		l.mu.Lock() // the first look: everybody waits for it
	} else if !l.mu.TryLock() {
		return l.users.Load()
	}
	defer l.mu.Unlock()
	if l.changed() {
		if err := l.read(); err != nil {
			l.cfg.Logger.Error("reading users file; the users stay as they were", "login", l.cfg.Name, "error", err)
		}
	}
	l.checked.Store(now)
	return l.users.Load()
}

// changed reports whether the file is another than the one that was read. One
// that was written in the last moment before may have changed again without
// another time stamp.
func (l *Local) changed() bool {
	info, err := os.Stat(l.cfg.UsersFile)
	if err != nil || l.file == nil {
		return true
	}
	return !os.SameFile(info, l.file) || info.Size() != l.file.Size() || !info.ModTime().Equal(l.file.ModTime()) ||
		l.readAt.Sub(info.ModTime()) < 2*lookEvery
}

// read reads the file and replaces the users. The caller holds mu.
func (l *Local) read() error {
	l.readAt = time.Now()
	users, info, err := readUsersFile(l.cfg.UsersFile)
	if err != nil {
		return err
	}
	set, err := newUserSet(l.cfg.Name, l.cfg.Users)
	if err != nil {
		return err
	}
	var bad []error
	for _, u := range users {
		if err := set.add(l.cfg.Name, u); err != nil {
			bad = append(bad, err)
		}
	}
	if len(bad) > 0 && len(set.byName) == len(l.cfg.Users) {
		return fmt.Errorf("no line of the users file can be used: %w", bad[0])
	}
	for _, err := range bad[:min(len(bad), maxBadLines)] {
		l.cfg.Logger.Error("a line of the users file cannot be used; the other users can sign in", "login", l.cfg.Name, "bad_lines", len(bad), "error", err)
	}
	l.file = info
	l.users.Store(set)
	l.checked.Store(l.cfg.Clock().UnixNano())
	return nil
}
