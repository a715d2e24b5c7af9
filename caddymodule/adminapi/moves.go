package adminapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
)

// movedUser answers what moves a user, and what takes that back.
type movedUser struct {
	Subject  string `json:"subject"` // that the person has for every application
	New      string `json:"new"`     // that their provider has for them
	DryRun   bool   `json:"dry_run,omitempty"`
	Undone   bool   `json:"undone,omitempty"`
	Changed  bool   `json:"changed"`  // it was not so before
	Ended    int    `json:"ended"`    // refresh token families of the new subject
	Sessions int    `json:"sessions"` // likewise
}

func (a *API) moveUser(c *call) (any, error) {
	if err := c.dryRun(); err != nil {
		return nil, err
	}
	if undo := c.get("undo"); undo != "" {
		c.event.NewSubject = undo
		old, err := a.Operator.UndoMove(c.Context(), undo, c.dry)
		c.event.Subject = old
		return movedUser{Subject: old, New: undo, DryRun: c.dry, Undone: true, Changed: true}, err
	}
	m := admin.Move{Old: c.get("subject"), New: c.get("new"), DryRun: c.dry}
	c.event.Subject, c.event.NewSubject = m.Old, m.New
	var err error
	if m.Force, err = c.yes(forceName); err == nil {
		err = a.checkMove(c, m.Old, m.New)
	}
	if err != nil {
		return nil, err
	}
	done, err := a.Operator.Move(c.Context(), m)
	return movedUser{Subject: m.Old, New: m.New, DryRun: m.DryRun, Changed: !done.Already, Ended: done.Families, Sessions: done.Sessions}, err
}

// checkMove refuses subjects between which nobody can be moved: whom a login vouches for,
// and asks its provider about, is told by the first part of the subject.
func (a *API) checkMove(c *call, old, renamed string) error {
	of, id, found := strings.Cut(old, "|")
	to, newID, foundNew := strings.Cut(renamed, "|")
	switch {
	case !found || !foundNew || id == "" || newID == "":
		return badRequest("users move: name two subjects of people, <login>|<id>, the one that is kept first")
	case old == renamed:
		return badRequest("users move: both subjects are %s", old)
	case of != to:
		return badRequest("users move: %s and %s are of two logins, and who signs in by one is never the person of another: move within one login", old, renamed)
	}
	if _, err := a.atProvider(of); err != nil {
		return err
	}
	c.strict = true
	return a.checkUser(c, old)
}

// loginNamed returns a login of the configuration.
func (a *API) loginNamed(name string) (login.Login, error) {
	names := make([]string, 0, len(a.Logins))
	for _, l := range a.Logins {
		names = append(names, l.Name())
	}
	if i := slices.Index(names, name); i >= 0 {
		return a.Logins[i], nil
	}
	return nil, refusal(http.StatusNotFound, fmt.Errorf("no login %q is configured: there are %s", name, strings.Join(names, ", ")))
}

// atProvider returns a login whose people are those of a provider.
func (a *API) atProvider(name string) (login.Rebinder, error) {
	l, err := a.loginNamed(name)
	if err != nil {
		return nil, err
	}
	if r, ok := l.(login.Rebinder); ok {
		return r, nil
	}
	return nil, refusal(http.StatusNotFound, errNoProvider)
}

// dryRun notes whether an action is only to say what it would do.
func (c *call) dryRun() (err error) {
	c.dry, err = c.yes("dry-run")
	return err
}

// checkMoved demands two subjects, or the one to take back.
func checkMoved(asked url.Values) error {
	switch undo := asked.Has("undo"); {
	case undo && (asked.Has("subject") || asked.Has(forceName)):
		return errors.New("--undo takes the new subject alone")
	case !undo && !asked.Has("new"):
		return errors.New("name the old subject, which is kept, and the new one, such as 'company|00u1' 'company|00u2'")
	}
	return nil
}

func showMoved(p *Printer, _ url.Values, m movedUser) {
	if m.DryRun {
		p.Printf("nothing was done; without --dry-run:\n")
	}
	switch {
	case m.Undone:
		p.Printf("%s signs in as somebody of their own again; what they have begun as %s goes on: `caddy oauth grants end '%s'` ends all of that one\n", m.New, m.Subject, m.Subject)
		return
	case !m.Changed:
		p.Printf("%s signed in as %s already\n", m.New, m.Subject)
	default:
		p.Printf("%s signs in as %s from now on\n", m.New, m.Subject)
	}
	if m.Ended+m.Sessions > 0 {
		p.Printf("ended of %s: %s and %s\n", m.New, Sessions(m.Sessions), Families(m.Ended))
	}
}
