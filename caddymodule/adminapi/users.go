package adminapi

import (
	"fmt"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// User is a user as operators see them.
type User struct {
	Subject  string `json:"subject"`
	User     string `json:"user"`  // the hash of the subject, as in the log
	Known    bool   `json:"known"` // has logged in, and is remembered
	Disabled bool   `json:"disabled"`
	Grants   int    `json:"grants"`
	Sessions int    `json:"sessions"`
}

// changedUser answers what disables and enables.
type changedUser struct {
	Subject  string `json:"subject"`
	Disabled bool   `json:"disabled"` // from now on
	Changed  bool   `json:"changed"`  // it was not so before
	Known    bool   `json:"known"`    // has logged in, and is remembered
	Ended    int    `json:"ended"`    // refresh token families that lived until now
}

// countedUsers ends the list of those who are disabled.
type countedUsers struct {
	Users int `json:"users"`
}

func describeUser(u admin.UserState) User {
	return User{
		Subject: named(u.Subject, u.User), User: u.User.String(), Known: u.Known, Disabled: u.Disabled, Grants: u.Families, Sessions: u.Sessions,
	}
}

// findUser returns what is known of a subject, or of the hash of one as the log
// and the list of those who are disabled show it. No subject looks like a hash:
// each has a | or an @.
func (a *API) findUser(c *call) (admin.UserState, error) {
	user, isHash := storage.ParseUserTag(c.name)
	if !isHash {
		user = storage.TagSubject(c.name)
	}
	u, err := a.Operator.User(c.Context(), user)
	if !isHash {
		u.Subject = c.name
	}
	c.event.Subject, c.event.User = u.Subject, user
	if err != nil {
		return u, err
	}
	return u, a.checkTag(c, user, c.name)
}

func (a *API) showUser(c *call) (any, error) {
	u, err := a.findUser(c)
	return describeUser(u), err
}

func (a *API) listUsers(c *call) (any, error) {
	if c.get("disabled") != "true" {
		return nil, badRequest("disabled: missing; only those who are disabled can be listed: write disabled=true")
	}
	stream, n := c.begin(), 0
	err := a.Operator.ScanDisabled(c.Context(), func(u admin.UserState) error {
		n++
		return stream.line("user", describeUser(u))
	})
	return countedUsers{n}, err
}

func (a *API) disableUser(c *call) (any, error) {
	u, err := a.findUser(c)
	if err != nil {
		return nil, err
	}
	result, err := a.Operator.DisableUser(c.Context(), u.User, u.Subject)
	return changedUser{Subject: named(u.Subject, u.User), Disabled: true, Changed: !u.Disabled, Known: u.Known, Ended: len(result.Families)}, err
}

func (a *API) enableUser(c *call) (any, error) {
	u, err := a.findUser(c)
	if err != nil {
		return nil, err
	}
	was, err := a.Operator.EnableUser(c.Context(), u.User)
	return changedUser{Subject: named(u.Subject, u.User), Changed: was, Known: u.Known}, err
}

func showUser(p *Printer, _ url.Values, u User) {
	p.Table([][]string{
		{"subject", u.Subject},
		{"hash in the log", u.User},
		{"has logged in", yesNo(u.Known)},
		{"disabled", yesNo(u.Disabled)},
		{"grants", fmt.Sprint(u.Grants)},
		{"sessions", fmt.Sprint(u.Sessions)},
	})
}

func showDisabled(p *Printer, _ url.Values, u changedUser) {
	p.Printf("%s is disabled; ended: %s, the sessions, and every access token\n", u.Subject, Families(u.Ended))
}

func showEnabled(p *Printer, _ url.Values, u changedUser) {
	if u.Changed {
		p.Printf("%s may log in again\n", u.Subject)
		return
	}
	p.Printf("%s was not disabled\n", u.Subject)
}

func showSubject(p *Printer, _ int, line Line) { p.Printf("%s\n", line.User.Subject) }

func showUsersEnd(p *Printer, _ url.Values, end countedUsers) {
	if end.Users == 0 {
		p.Printf("nobody is disabled\n")
	}
}
