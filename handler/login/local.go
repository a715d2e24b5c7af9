package login

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
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
	// ProfilesFile says more of users, as profiles has it; read as UsersFile is.
	ProfilesFile string
	// Reserved reports whether a claim is one that no profile may have; nil is none.
	Reserved func(claim string) bool
	// Compare compares a bcrypt or argon2id hash with a password. Required.
	Compare func(hash, plaintext []byte) (bool, error)
	// FakeHash is compared with where no user is configured at all. Required.
	FakeHash []byte
	Clock    func() time.Time // nil is time.Now
	Logger   *slog.Logger     // nil logs nothing; says when a changed file cannot be used
}

// Local signs in the users of the configuration and of an htpasswd file. Which groups
// they are in is what the configuration and its files say now. Safe for concurrent use.
type Local struct {
	cfg  LocalConfig
	seed maphash.Seed

	users   atomic.Pointer[userSet]
	checked atomic.Int64 // when the files were last looked at, in Unix nanoseconds
	mu      sync.Mutex   // held while they are read
	files   files
}

const (
	maxName     = 256  // bytes; longer names are nobody's
	maxPassword = 1024 // bytes; longer ones are not compared
)

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
	l := &Local{cfg: cfg, seed: maphash.MakeSeed(), files: files{users: watched{path: cfg.UsersFile}, profiles: watched{path: cfg.ProfilesFile}}}
	set, err := newUserSet(cfg.Name, cfg.Users, nil)
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
