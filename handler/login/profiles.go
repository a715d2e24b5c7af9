package login

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/mail"
	"os"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
)

// profiles is what a profiles file says of users, by foldName of their names. What the
// configuration itself says of a user goes before it.
type profiles map[string]*profile

// profile is what is said of one user.
type profile struct {
	Email  string         `json:"email"`
	Name   string         `json:"name"`
	Groups []string       `json:"groups"`
	Claims map[string]any `json:"claims"`

	user string // as written
}

// of returns what is said of a user: nothing for one whom the file does not have.
func (p profiles) of(name string) *profile {
	if known, ok := p[foldName(name)]; ok {
		return known
	}
	return new(profile)
}

// strangers are the names that no user has, in order.
func (p profiles) strangers(users *userSet) []string {
	var names []string
	for folded, known := range p {
		if users.byName[folded] == nil {
			names = append(names, known.user)
		}
	}
	slices.Sort(names)
	return names
}

// all are the claims of the profile. An address that an operator has written down counts
// as verified.
func (p *profile) all() map[string]any { return WrittenClaims(p.Name, p.Email, p.Claims) }

// WrittenClaims are the claims of a user of whom an operator has written down a name, an
// address, which then counts as verified, and more; "" for none.
func WrittenClaims(name, email string, more map[string]any) map[string]any {
	claims := make(map[string]any)
	maps.Copy(claims, more)
	if name != "" {
		claims["name"] = name
	}
	if email != "" {
		claims["email"], claims["email_verified"] = email, true
	}
	return claims
}

// check reports what is wrong with a profile, and the fix.
func (p *profile) check(reserved func(string) bool) error {
	if p.Email != "" {
		if addr, err := mail.ParseAddress(p.Email); err != nil || addr.Address != p.Email {
			return fmt.Errorf("email: %q is not an address: write it as alice@example.com", p.Email)
		}
	}
	for _, group := range p.Groups {
		if err := people.CheckGroup(group); err != nil {
			return fmt.Errorf("groups: %q %w", group, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Claims)) {
		if name == "" || name == "name" || reserved != nil && reserved(name) {
			return fmt.Errorf("claims: %q is not for a profile to say: choose another name; an address goes into `email`, a name into `name`, groups into `groups`", name)
		}
	}
	return checkClaims((&User{Name: p.user, Claims: p.all()}).allClaims())
}

// checkClaims makes sure that a person's record has room for their claims.
func checkClaims(claims map[string]any) error {
	text, err := json.Marshal(claims)
	if err == nil && len(text) > tokens.MaxClaims {
		err = fmt.Errorf("the claims take %d bytes, and a person's record has room for %d: write fewer or shorter ones", len(text), tokens.MaxClaims)
	}
	return err
}

// readProfiles reads a profiles file: a JSON object of profiles by user name. Errors name
// the line and the user.
func readProfiles(path string, reserved func(string) bool) (profiles, os.FileInfo, error) {
	data, info, err := readRegular(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading profiles file: %w", err)
	}
	known, line, err := parseProfiles(bytes.TrimPrefix(data, []byte("\ufeff")), reserved)
	if err != nil {
		return nil, nil, fmt.Errorf("reading profiles file: %s:%d: %w", path, line, err)
	}
	return known, info, nil
}

// readRegular reads a file of at most maxUsersFile bytes.
func readRegular(path string) ([]byte, os.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular() || info.Size() > maxUsersFile:
		return nil, nil, fmt.Errorf("%s is not a regular file of at most 64 MiB", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxUsersFile))
	return data, info, err
}

// errProfiles says what a profiles file is.
var errProfiles = errors.New(`it is not an object of users: write {"alice": {"email": "alice@example.com", "groups": ["staff"]}}`)

// parseProfiles reads the text of a profiles file; line is where the error is.
func parseProfiles(data []byte, reserved func(string) bool) (known profiles, line int, err error) {
	lineAt := func(offset int64) int { return 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n")) }
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, lineAt(syntax.Offset), err
		}
		return nil, 1, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, 1, errProfiles
	}
	known = make(profiles)
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, lineAt(dec.InputOffset()), err
		}
		p := &profile{user: key.(string)} //nolint:forcetypeassert // a member of an object
		line = lineAt(dec.InputOffset())
		if err := dec.Decode(p); err != nil {
			return nil, line, fmt.Errorf("user %q: %w: it has email, name, groups (a list) and claims (an object)", p.user, err)
		}
		if err := p.check(reserved); err != nil {
			return nil, line, fmt.Errorf("user %q: %w", p.user, err)
		}
		if other, twice := known[foldName(p.user)]; twice {
			return nil, line, fmt.Errorf("user %q: is there before, as %q; capitals do not count in sign-ins: leave one out", p.user, other.user)
		}
		known[foldName(p.user)] = p
	}
	return known, 0, nil
}
