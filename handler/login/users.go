package login

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// User is a person in the configuration.
type User struct {
	Name   string
	Hash   string         // bcrypt or argon2id, as from `caddy hash-password`
	Claims map[string]any // name, email, …; `name` and `nickname` default to Name
	Groups []string       // none leaves those of the profiles file

	where    string // file:line, for errors
	unusable error  // what is wrong with that line; nil for nothing
}

// user is a User, ready for use.
type user struct {
	name   string
	hash   string
	mark   storage.Mark // of the hash
	claims map[string]any
	groups []string
}

// profile is what the gateway knows about the user.
func (u *user) profile(login string) tokens.Profile {
	return tokens.Profile{
		Subject:     subject(login, u.name),
		Login:       login,
		ACR:         acrPassword,
		Claims:      u.claims,
		Fingerprint: storage.FingerprintOf(u.hash),
	}
}

func subject(login, name string) string { return login + "|" + name }

// userSet is all users at one time. It never changes.
type userSet struct {
	byName map[string]*user // by foldName
	byTag  map[storage.UserTag]*user
	hashes []string // of all users
}

// newUserSet checks the users of the configuration.
func newUserSet(login string, configured []User, known profiles) (*userSet, error) {
	s := &userSet{byName: make(map[string]*user), byTag: make(map[storage.UserTag]*user)}
	for _, u := range configured {
		if err := s.add(login, u, known); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add checks a user and adds it, with what a profiles file says of them.
func (s *userSet) add(login string, u User, known profiles) error {
	if err := u.check(); err != nil {
		return fmt.Errorf("reading user %s: %w", u.place(), err)
	}
	name := foldName(u.Name)
	if other, twice := s.byName[name]; twice {
		if other.name != u.Name {
			return fmt.Errorf("reading user %s: duplicate user: it differs from another in capitals only, which do not count in sign-ins: rename one", u.place())
		}
		return fmt.Errorf("reading user %s: duplicate user: remove one", u.place())
	}
	said := known.of(u.Name)
	claims := said.all()
	maps.Copy(claims, u.Claims)
	u.Claims = claims
	entry := &user{name: u.Name, hash: u.Hash, mark: storage.FingerprintOf(u.Hash).Mark(), claims: u.allClaims(), groups: u.Groups}
	if len(entry.groups) == 0 {
		entry.groups = said.Groups
	}
	if len(claims) > 0 {
		if err := checkClaims(entry.claims); err != nil {
			return fmt.Errorf("reading user %s: %w", u.place(), err)
		}
	}
	s.byName[name] = entry
	s.byTag[storage.TagSubject(subject(login, u.Name))] = entry
	s.hashes = append(s.hashes, u.Hash)
	return nil
}

// foldName is what of a name counts in a sign-in: capitals do not, nor spaces around it,
// which keyboards and password managers add.
func foldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// named returns the user whom a name means, nil for none.
func (s *userSet) named(name string) *user { return s.byName[foldName(name)] }

// place names the user in errors.
func (u *User) place() string {
	if u.where != "" {
		return u.where
	}
	return fmt.Sprintf("%q", u.Name)
}

// check reports what is wrong with a user, and the fix. A name becomes part
// of a subject, which has at most 255 ASCII characters (OpenID Connect Core §2).
func (u *User) check() error {
	if u.unusable != nil {
		return u.unusable
	}
	if !oauth.ValidScope(u.Name) || strings.Contains(u.Name, ":") || len(u.Name) > 200 {
		return errors.New("the name must be up to 200 printable ASCII characters without spaces, quotes, backslashes and colons")
	}
	for _, group := range u.Groups {
		if err := people.CheckGroup(group); err != nil {
			return fmt.Errorf("the group %q %w", group, err)
		}
	}
	switch {
	case u.Hash == "":
		return errors.New("the hash is missing: make one with `caddy hash-password`")
	case strings.HasPrefix(u.Hash, "$2a$"), strings.HasPrefix(u.Hash, "$2b$"), strings.HasPrefix(u.Hash, "$2y$"):
		if len(u.Hash) != 60 {
			return errors.New("the bcrypt hash is incomplete: it must have 60 characters")
		}
		return nil
	case strings.HasPrefix(u.Hash, "$argon2id$"):
		return nil
	}
	return errors.New("the hash is neither bcrypt nor argon2id: make one with `caddy hash-password` or `htpasswd -B`")
}

// allClaims are the user's claims with their defaults.
func (u *User) allClaims() map[string]any {
	claims := map[string]any{"name": u.Name, "nickname": u.Name, "preferred_username": u.Name}
	maps.Copy(claims, u.Claims)
	return claims
}

var errLine = errors.New("the line is not name:hash")

// maxUsersFile bounds a users file, in bytes: some 500,000 users.
const maxUsersFile = 64 << 20

// readUsersFile reads an htpasswd file: lines "name:hash", empty lines, and
// lines that begin with "#". Errors name file:line, and never the hash; a line that
// cannot be used is a user that cannot.
func readUsersFile(path string) (users []User, info os.FileInfo, err error) {
	data, info, err := readRegular(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading users file: %w", err)
	}
	users, err = parseUsers(path, bytes.NewReader(data))
	return users, info, err
}

func parseUsers(path string, r io.Reader) ([]User, error) {
	var users []User
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		where := fmt.Sprintf("%s:%d", path, n)
		name, hash, ok := strings.Cut(line, ":")
		if !ok {
			users = append(users, User{where: where, unusable: errLine})
			continue
		}
		hash, _, _ = strings.Cut(hash, ":") // what some tools append
		users = append(users, User{Name: name, Hash: strings.TrimSpace(hash), where: where})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading users file: %s: %w", path, err)
	}
	return users, nil
}
