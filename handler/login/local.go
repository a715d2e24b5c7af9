package login

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// User is a person in the configuration.
type User struct {
	Name   string
	Hash   string         // bcrypt or argon2id, as from `caddy hash-password`
	Claims map[string]any // name, email, …; `name` and `nickname` default to Name
}

// LocalConfig configures a Local.
type LocalConfig struct {
	Name      string // "local" where there is one; unique among the logins
	Label     string
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

// Local signs in the users of the configuration and of an htpasswd file.
type Local struct {
	cfg LocalConfig
}

// CheckUsers reports what the configured users lack, naming the user. It reads no file.
func CheckUsers(users []User) error { return nil }

// NewLocal makes a Local. It does no I/O.
func NewLocal(cfg LocalConfig) (*Local, error) { return &Local{cfg: cfg}, nil }

// Load reads the users file. Errors name file:line. Without it the first sign-in does so.
func (l *Local) Load() error { return nil }

// Name returns the login's name.
func (l *Local) Name() string { return l.cfg.Name }

// Label returns the login's name for people.
func (l *Local) Label() string { return l.cfg.Label }

// Authenticate checks a name and a password; see Login.
func (l *Local) Authenticate(ctx context.Context, a Attempt) (tokens.Profile, error) {
	return tokens.Profile{}, ErrWrong
}

// Fingerprint returns the fingerprint of a user's hash; see tokens.Accounts.
func (l *Local) Fingerprint(user tokens.UserTag) tokens.Fingerprint { return tokens.Fingerprint{} }
