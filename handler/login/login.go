// Package login holds the ways in which a person proves who they are, and the limits
// on guessing. It knows no pages and no sessions: package handler shows the one and
// begins the other.
//
// Begin reading at Login.
package login

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Login is a way to sign in: a Password or an Elsewhere.
type Login interface {
	// Name is the login's name: the first part of its subjects, "<login>|<id>".
	Name() string
	// Label names the login to people, where there are several.
	Label() string
	// Fingerprint returns the fingerprint that the record of this user has as
	// configured now: that of the password hash, or of the provider. It is zero
	// for a user that this login is certain not to know.
	Fingerprint(user storage.UserTag) storage.Fingerprint
}

// Password is a Login with a name and a password.
type Password interface {
	Login
	// Subject returns the subject of the person whom this name means. It tells
	// nothing of whether there is one.
	Subject(name string) string
	// Authenticate checks a name and a password, within the limits. Errors:
	// ErrWrong, a *WaitError, or a fault, which is answered with 503.
	Authenticate(ctx context.Context, limits *Limits, a Attempt) (tokens.Profile, error)
}

// Lister is a Password that can say whom it knows.
type Lister interface {
	Password
	// Users returns the names of all users, in order.
	Users() []string
	// Mark returns the mark of a user's password as configured now, nil for a user whom
	// the login does not know. It is asked for each guarded request.
	Mark(user storage.UserTag) *storage.Mark
}

// Attempt is one try to sign in.
type Attempt struct {
	Name     string
	Password string
	Address  string // of the person's browser
	// Browser names a browser in which somebody has signed in to this account
	// before; "" for any other.
	Browser string
}

// ErrWrong is the one answer to an unknown name and to a wrong password.
var ErrWrong = errors.New("checking password: incorrect username or password")

// WaitError refuses a try without looking at the password: too many failed or
// succeeded before it, or too many are to be checked at this moment (Busy).
type WaitError struct {
	After time.Duration // how long to wait
	Busy  bool
}

// Error says which of the two it is.
func (e *WaitError) Error() string {
	if e.Busy {
		return "checking password: too many at once"
	}
	return "checking password: too many attempts"
}

// Accounts makes one tokens.Accounts of all logins.
func Accounts(logins []Login) tokens.Accounts {
	a := accounts{logins: logins, byName: make(map[string]Lister)}
	for _, l := range logins {
		a.byName[l.Name()], _ = l.(Lister)
	}
	return a
}

type accounts struct {
	logins []Login
	byName map[string]Lister // nil for a login that cannot say whom it knows
}

// Fingerprints returns those of the logins that may let the user in: none has the zero
// one, so that who came by a login that is gone is refused.
func (a accounts) Fingerprints(user storage.UserTag, logins ...string) []storage.Fingerprint {
	var prints []storage.Fingerprint
	for _, l := range a.logins {
		if len(logins) > 0 && !slices.Contains(logins, l.Name()) {
			continue
		}
		if f := l.Fingerprint(user); f != (storage.Fingerprint{}) {
			prints = append(prints, f)
		}
	}
	return prints
}

// Lists reports whether the user is one of a login that can say whom it knows.
func (a accounts) Lists(user storage.UserTag) bool {
	for _, l := range a.byName {
		if l != nil && l.Mark(user) != nil {
			return true
		}
	}
	return false
}

// Standing implements verify.Standing: a subject is gone whose login lists its users and
// does not list this one (any more), or is not there (any more). Machines are at no
// login; and a configuration without logins guards for others, and knows nobody.
func (a accounts) Standing(user storage.UserTag, subject string) (gone bool, mark *storage.Mark) {
	name, _, person := strings.Cut(subject, "|")
	if !person || len(a.logins) == 0 {
		return false, nil
	}
	l, there := a.byName[name]
	if l == nil {
		return !there, nil
	}
	mark = l.Mark(user)
	return mark == nil, mark
}
