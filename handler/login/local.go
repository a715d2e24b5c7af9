package login

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
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
	// Slots is how many hashes are computed at once; 0 is one less than the cores.
	Slots  int
	Clock  func() time.Time // nil is time.Now
	Logger *slog.Logger     // nil logs nothing; says when a changed UsersFile cannot be used
}

// Local signs in the users of the configuration and of an htpasswd file. Safe
// for concurrent use.
type Local struct {
	cfg      LocalConfig
	places   *brake // by address
	pairs    *brake // by address and account
	accounts *brake
	slots    *slots
	seed     maphash.Seed

	users   atomic.Pointer[userSet]
	checked atomic.Int64 // when the file was last looked at, in Unix nanoseconds
	mu      sync.Mutex   // held while the file is read
	file    os.FileInfo  // of the file as read
	readAt  time.Time
}

// How the brakes work: who fails so often waits, twice as long after each
// further failure and never longer than a minute; a failure a minute is
// forgotten. An address may be that of a whole office.
const (
	freePerPair    = 5
	freePerAddress = 25
	freePerAccount = 50
	maxName        = 256  // bytes; longer names are nobody's
	maxPassword    = 1024 // bytes; longer ones are not compared
)

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
	if cfg.Slots <= 0 {
		cfg.Slots = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Local{
		cfg: cfg, places: newBrake(freePerAddress), pairs: newBrake(freePerPair), accounts: newBrake(freePerAccount),
		slots: newSlots(cfg.Slots), seed: maphash.MakeSeed(),
	}
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

// Authenticate checks a name and a password; see Login. An unknown name costs
// the same time as a known one.
func (l *Local) Authenticate(ctx context.Context, a Attempt) (tokens.Profile, error) {
	now := l.cfg.Clock()
	undo, err := l.brake(a, now)
	if err != nil {
		return tokens.Profile{}, err
	}
	set := l.current()
	u, known := set.byName[a.Name]
	hash := l.decoy(set, a.Name)
	if known {
		hash = u.hash
	}
	release, err := l.slots.take(ctx)
	if err != nil {
		undo()
		return tokens.Profile{}, err
	}
	ok, err := l.compare(hash, a.Password)
	release()
	if err != nil {
		l.cfg.Logger.Error("comparing password hash", "login", l.cfg.Name, "error", err)
	}
	if err != nil || !ok || !known || len(a.Name) > maxName || len(a.Password) > maxPassword {
		return tokens.Profile{}, ErrWrong
	}
	undo()
	l.pairs.clear(pairKey(a))
	return u.profile(l.cfg.Name), nil
}

// brake asks the three brakes for a try: that of the address, of the account as
// tried from this address, and of the account from anywhere. The last is loose:
// whoever guesses from one address is stopped by the one before, and does not
// keep the owner out, who comes from another.
func (l *Local) brake(a Attempt, now time.Time) (undo func(), err error) {
	var undone []func()
	undo = func() {
		for _, u := range undone {
			u()
		}
	}
	for _, try := range []struct {
		brake *brake
		key   string
	}{{l.places, addressKey(a.Address)}, {l.pairs, pairKey(a)}, {l.accounts, a.Name}} {
		wait, one := try.brake.begin(try.key, now)
		if wait > 0 {
			undo()
			return nil, &WaitError{After: wait}
		}
		undone = append(undone, one)
	}
	return undo, nil
}

// pairKey names an account as tried from one address.
func pairKey(a Attempt) string { return addressKey(a.Address) + " " + a.Name }

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
func (l *Local) Fingerprint(tag tokens.UserTag) tokens.Fingerprint {
	u, ok := l.current().byTag[tag]
	if !ok {
		return tokens.Fingerprint{}
	}
	return tokens.FingerprintOf(u.hash)
}

// Load reads the users file. Errors name file:line. Without it the first
// sign-in does so.
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
	set, err := newUserSet(l.cfg.Name, l.cfg.Users, users...)
	if err != nil {
		return err
	}
	l.file = info
	l.users.Store(set)
	l.checked.Store(l.cfg.Clock().UnixNano())
	return nil
}
