// Package login holds the ways in which a person proves who they are, and the limits
// on guessing. It knows no pages and no sessions: package handler shows the one and
// begins the other.
//
// Begin reading at Login.
package login

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Login is a way to sign in with a name and a password.
type Login interface {
	// Name is the login's name: the first part of its subjects, "<login>|<id>".
	Name() string
	// Label names the login to people, where there are several.
	Label() string
	// Subject returns the subject of the person whom this name means. It tells
	// nothing of whether there is one.
	Subject(name string) string
	// Authenticate checks a name and a password, within the limits. Errors:
	// ErrWrong, a *WaitError, or a fault, which is answered with 503.
	Authenticate(ctx context.Context, limits *Limits, a Attempt) (tokens.Profile, error)
	// Fingerprint returns the fingerprint of the user's password hash as
	// configured now, or zero for a user that this login does not know.
	Fingerprint(user storage.UserTag) storage.Fingerprint
}

// Lister is a Login that can say whom it knows.
type Lister interface {
	// Users returns the names of all users, in order.
	Users() []string
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
func Accounts(logins []Login) tokens.Accounts { return accounts(logins) }

type accounts []Login

// Fingerprints returns those of the logins that may let the user in: none has the zero
// one, so that who came by a login that is gone is refused.
func (a accounts) Fingerprints(user storage.UserTag) []storage.Fingerprint {
	var prints []storage.Fingerprint
	for _, l := range a {
		if f := l.Fingerprint(user); f != (storage.Fingerprint{}) {
			prints = append(prints, f)
		}
	}
	return prints
}

// Lists reports whether the user is one of a login that can say whom it knows.
func (a accounts) Lists(user storage.UserTag) bool {
	for _, l := range a {
		if _, ok := l.(Lister); ok && l.Fingerprint(user) != (storage.Fingerprint{}) {
			return true
		}
	}
	return false
}
