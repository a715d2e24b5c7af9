package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

func init() {
	caddy.RegisterModule(LocalLogin{})
}

// LoginModule is a guest module of the namespace `oauth.logins`: one way in
// which people log in.
type LoginModule interface {
	caddy.Module
	// Login makes the way to log in, once, which tells heard what happens. Its name, in the JSON field `name` or else
	// the module's own, is unique among the logins: it is the first half of every
	// subject, `<login>|<id>`.
	Login(heard oauth.Observer) (login.Login, error)
	// Start reads what Provision could not, or must not touch: files, networks. An error stops
	// the start, and at a reload leaves the configuration before in place. What it begins in
	// the background ends with the module's Cleanup, if it has one.
	Start() error
}

// LocalLogin lets people sign in with a user name and a password from the configuration or from
// a file in htpasswd format.
type LocalLogin struct {
	// The name of this login, and the first half of its users' subjects. Default: local
	Name string `json:"name,omitempty"`

	// The users. Default: none; there must be some here or in the file.
	Users []*LocalUser `json:"users,omitempty"`

	// A file with a line `name:hash` for each user, read when the app starts and whenever the
	// file changes, and by `caddy validate`. A relative path is relative to Caddy's working
	// directory. If a line cannot be used, the log says which one, and the other users can sign
	// in. Default: none.
	UsersFile string `json:"users_file,omitempty"`

	// A JSON file with more about users, such as
	// `{"bob": {"email": "bob@example.com", "name": "Bob", "groups": ["staff"], "claims": {"department": "sales"}}}`,
	// read in the same way as the users file. What the configuration says about a user takes
	// precedence. Default: none.
	ProfilesFile string `json:"profiles_file,omitempty"`

	local  *login.Local
	unread bool // a file
}

// LocalUser is a person who signs in with a password.
type LocalUser struct {
	// The user name, and the second half of the subject. At sign-in, people can write it in a
	// different case and with spaces around it. Default: none, it is required.
	ID string `json:"id,omitempty"`

	// The bcrypt or argon2id hash of the password, as printed by
	// `caddy hash-password --algorithm argon2id`, or `{env.NAME}` or `{file.PATH}` with such a
	// hash. Default: none, it is required.
	Hash string `json:"hash,omitempty"`

	// The claim `email`. Default: none.
	Email string `json:"email,omitempty"`

	// The claim `name`. Default: none.
	Name string `json:"name,omitempty"`

	// The groups that the user is in. The current configuration always decides. Default: those
	// of the profiles file
	Groups []string `json:"groups,omitempty"`

	// More claims, with their values. Default: none.
	Claims map[string]string `json:"claims,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (LocalLogin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth.logins.local",
		New: func() caddy.Module { return new(LocalLogin) },
	}
}

const defaultLoginName = "local"

// loginName is what stands in subjects and in paths.
var loginName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

func (l *LocalLogin) name() string { return cmp.Or(l.Name, defaultLoginName) }

// block names the login in errors.
func (l *LocalLogin) block() string { return "login " + l.name() }

// Check finds what the text shows to be wrong.
func (l *LocalLogin) Check() error {
	if err := checkLoginName(l.name()); err != nil {
		return err
	}
	if len(l.Users) == 0 && l.UsersFile == "" {
		return grammar.Wrong("", "it has no users: write `user <name> <hash>` or `users_file <path>`")
	}
	seen := make(map[string]string)
	for _, u := range l.Users {
		if u == nil {
			return grammar.Wrong("", "it has a null among its users: leave it out")
		}
		switch other, taken := seen[strings.ToLower(u.ID)]; {
		case taken && other == u.ID:
			return grammar.Within(u.block(), grammar.Wrong("", "duplicate user: leave one out"))
		case taken:
			return grammar.Within(u.block(), grammar.Wrong("", "the name is that of user %s but for capitals, which do not count in sign-ins: rename one", other))
		}
		seen[strings.ToLower(u.ID)] = u.ID
	}
	for _, u := range l.Users {
		if err := u.Check(); err != nil {
			return grammar.Within(u.block(), err)
		}
	}
	return nil
}

// checkLoginName checks the name of a login of any module.
func checkLoginName(name string) error {
	if !loginName.MatchString(name) {
		return grammar.Wrong("", "the name %q is not fit for subjects and paths: take up to 32 of a-z, 0-9, - and _", name)
	}
	if name == siteName {
		return grammar.Wrong("", "the name %q is that of the clients of sites: choose another", name)
	}
	return nil
}

// siteName begins the names of what is no login: the clients that guards of sites are.
const siteName = "site"

// maxUserID keeps a subject below the 255 bytes of OpenID Connect Core §2.
const maxUserID = 200

// block names the user in errors.
func (u *LocalUser) block() string { return grammar.Title("user", u.ID) }

// Check finds what the text shows to be wrong.
func (u *LocalUser) Check() error {
	switch {
	case u.ID == "":
		return grammar.Wrong("", "the name is empty: write `user <name> <hash>`")
	case strings.ContainsAny(u.ID, "{}*"):
		return grammar.Wrong("", "the name holds a placeholder or a wildcard: write it out")
	case len(u.ID) > maxUserID || !oauth.ValidScope(u.ID) || strings.Contains(u.ID, ":"):
		return grammar.Wrong("", "the name is not fit for the subject of a token: take up to %d printable ASCII characters without spaces, quotes and colons", maxUserID)
	}
	if err := checkHashText(u.Hash, checkPasswordHash); err != nil {
		return grammar.Wrong("", "the hash %s", err)
	}
	if u.Email != "" {
		if addr, err := mail.ParseAddress(u.Email); err != nil || addr.Address != u.Email {
			return grammar.Wrong("email", "%q is not an address: write it as alice@example.com", u.Email)
		}
	}
	if err := checkEach("groups", u.Groups, checkGroupName); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(u.Claims)) {
		switch {
		case name == "name" || ownClaim(name):
			return grammar.WrongValue("claim", name, "is not for a user's block to say: choose another name; an address goes into `email`, a name into `name`, groups into `groups`")
		case plainText(name) != nil || plainText(u.Claims[name]) != nil:
			return grammar.WrongValue("claim", name, "has no name or value, or a placeholder, which is not replaced here: write `claim <name> <value>`")
		}
	}
	return nil
}

// Provision reads the hashes and the files, so that `caddy validate` says what is wrong with it.
func (l *LocalLogin) Provision(ctx caddy.Context) error {
	if err := grammar.Within(l.block(), l.Check()); err != nil {
		return err
	}
	file, err := resolvePath(l.UsersFile)
	if err != nil {
		return fmt.Errorf("%s: users_file: %w", l.block(), err)
	}
	profiles, err := resolvePath(l.ProfilesFile)
	if err != nil {
		return fmt.Errorf("%s: profiles_file: %w", l.block(), err)
	}
	users, err := l.users()
	if err != nil {
		return err
	}
	l.local, err = login.NewLocal(login.LocalConfig{
		Name:         l.name(),
		Label:        l.name(),
		Users:        users,
		UsersFile:    file,
		ProfilesFile: profiles,
		Reserved:     ownClaim,
		Compare:      compareHash,
		FakeHash:     caddyauth.BcryptHash{}.FakeHash(),
		Logger:       ctx.Slogger(),
	})
	if err == nil {
		err = l.local.Load()
	}
	if l.unread = errors.Is(err, fs.ErrPermission); l.unread {
		ctx.Logger().Warn(l.block() + ": a file of users cannot be read by this user; whoever runs the server must be able to: " + err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l.block(), err)
	}
	return nil
}

// Start reads the files, where `caddy validate` may have been run by somebody who may not.
func (l *LocalLogin) Start() error {
	if !l.unread {
		return nil
	}
	if err := l.local.Load(); err != nil {
		return fmt.Errorf("%s: %w", l.block(), err)
	}
	return nil
}

// users returns the configured users as the login has them.
func (l *LocalLogin) users() ([]login.User, error) {
	users := make([]login.User, len(l.Users))
	for i, u := range l.Users {
		hash, err := resolveHash(u.Hash, checkPasswordHash)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", l.block(), u.block(), err)
		}
		users[i] = login.User{Name: u.ID, Hash: hash, Claims: u.claims(), Groups: u.Groups}
	}
	return users, nil
}

// claims are what tokens say about the user.
func (u *LocalUser) claims() map[string]any {
	more := make(map[string]any, len(u.Claims))
	for name, value := range u.Claims {
		more[name] = value
	}
	return login.WrittenClaims(u.Name, u.Email, more)
}

// Login returns the way to log in.
func (l *LocalLogin) Login(oauth.Observer) (login.Login, error) { return l.local, nil }

// resolvePath replaces {env.NAME} and the like in a path.
func resolvePath(path string) (string, error) {
	resolved, err := caddy.NewReplacer().ReplaceOrErr(path, true, true)
	if err != nil {
		return "", errors.New(path + " has a placeholder without a value: set it, or write the path out")
	}
	return resolved, nil
}

// compareHash compares a bcrypt or argon2id hash with a plaintext, through
// Caddy's own hash modules.
func compareHash(hash, plaintext []byte) (bool, error) {
	if strings.HasPrefix(string(hash), "$argon2id$") {
		return caddyauth.Argon2idHash{}.Compare(hash, plaintext)
	}
	return caddyauth.BcryptHash{}.Compare(hash, plaintext)
}

// Interface guards
var (
	_ LoginModule       = (*LocalLogin)(nil)
	_ caddy.Provisioner = (*LocalLogin)(nil)
)
