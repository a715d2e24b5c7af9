package adminapi

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// User is a user as operators see them.
type User struct {
	Subject  string `json:"subject"`
	User     string `json:"user"`  // the hash of the subject, as in the log
	Known    bool   `json:"known"` // has logged in, and is remembered
	Disabled bool   `json:"disabled"`
	Login    string `json:"login,omitempty"` // by which they came
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	// MovedTo is who they sign in as, and MovedFrom are the subjects that sign in as they:
	// for one user.
	MovedTo   string    `json:"moved_to,omitempty"`
	MovedFrom []string  `json:"moved_from,omitempty"`
	Checked   time.Time `json:"checked,omitzero"` // when the login's provider last vouched for them
	LastUsed  time.Time `json:"last_used,omitzero"`
	Grants    int       `json:"grants"`
	Sessions  int       `json:"sessions"`
	// The rest is for one user.
	Groups      []Membership `json:"groups,omitempty"` // that they are in now
	Rights      []Right      `json:"rights,omitempty"` // what not everybody may do
	GrantList   []Grant      `json:"grant_list,omitempty"`
	SessionList []Session    `json:"session_list,omitempty"`
}

// Session is a sign-in of a browser as operators see it.
type Session struct {
	Begun    time.Time `json:"begun"`
	AuthTime time.Time `json:"auth_time,omitzero"` // absent where the provider did not say
	LastUsed time.Time `json:"last_used"`
	Expires  time.Time `json:"expires"`
	ACR      string    `json:"acr,omitempty"`
	AMR      []string  `json:"amr,omitempty"`
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
	by, _, _ := strings.Cut(u.Subject, "|")
	return User{
		Subject: named(u.Subject, u.User), User: u.User.String(), Known: u.Known, Disabled: u.Disabled, Login: by, Name: u.Name, Email: u.Email,
		Checked: u.Checked.UTC(), LastUsed: u.LastUsed().UTC(), Grants: len(u.Families), Sessions: len(u.Sessions),
	}
}

// describeWhole adds where a user is signed in.
func (a *API) describeWhole(ctx context.Context, u admin.UserState) (User, error) {
	whole := describeUser(u)
	whole.MovedTo, whole.MovedFrom = u.MovedTo, u.MovedFrom
	list, err := a.list(ctx, "", u.User, u.Families)
	whole.GrantList = list.Grants
	for _, g := range u.Groups {
		whole.Groups = append(whole.Groups, Membership{g.Group, g.By})
	}
	for _, r := range u.Rights {
		whole.Rights = append(whole.Rights, describeRight(r))
	}
	for _, s := range u.Sessions {
		whole.SessionList = append(whole.SessionList, Session{
			Begun: s.Begun.UTC(), AuthTime: s.AuthTime.UTC(), LastUsed: s.Used.UTC(), Expires: s.Expires.UTC(), ACR: s.ACR, AMR: s.AMR,
		})
	}
	return whole, err
}

// findUser returns what is known of a subject, or of the hash of one as the log
// and the list of those who are disabled show it. No subject looks like a hash:
// each has a | or an @.
func (a *API) findUser(c *call) (admin.UserState, error) {
	user, isHash := storage.ParseUserTag(c.name)
	if !isHash {
		user = storage.TagSubject(c.name)
	}
	subject := c.name
	if isHash {
		subject = ""
	}
	u, err := a.Operator.User(c.Context(), user, subject)
	c.event.Subject, c.event.User = u.Subject, user
	if err != nil {
		return u, err
	}
	return u, a.checkTag(c, user, c.name)
}

func (a *API) showUser(c *call) (any, error) {
	u, err := a.findUser(c)
	if err != nil {
		return nil, err
	}
	return a.describeWhole(c.Context(), u)
}

func (a *API) listUsers(c *call) (any, error) {
	disabled, of := c.get("disabled"), c.get("login")
	switch {
	case disabled != "" && (disabled != "true" || of != ""):
		return nil, badRequest("disabled: write disabled=true, without a login, or leave it out")
	case of != "" && !slices.ContainsFunc(a.Logins, func(l login.Login) bool { return l.Name() == of }):
		return nil, badRequest("login: there is none of this name in the configuration")
	}
	stream, n := c.begin(), 0
	each := func(u admin.UserState) error {
		n++
		return stream.line("user", describeUser(u))
	}
	var err error
	if disabled != "" {
		err = a.Operator.ScanDisabled(c.Context(), each)
	} else {
		err = a.Operator.ScanKnown(c.Context(), of, each)
	}
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
	rows := [][]string{
		{"subject", u.Subject},
		{"hash in the log", u.User},
		{"has logged in", yesNo(u.Known)},
		{"disabled", yesNo(u.Disabled)},
		{"login", cmp.Or(u.Login, "-")},
		{"name", cmp.Or(u.Name, "-")},
		{"email", cmp.Or(u.Email, "-")},
		{"provider asked", stamp(u.Checked)},
		{"grants", fmt.Sprint(u.Grants)},
		{"sessions", fmt.Sprint(u.Sessions)},
	}
	if u.MovedTo != "" {
		rows = append(rows, []string{"signs in as", u.MovedTo})
	}
	for _, from := range u.MovedFrom {
		rows = append(rows, []string{"also signs in as", from})
	}
	p.Table(rows)
	showGroups(p, u.Groups)
	showRights(p, u.Rights)
	if len(u.SessionList) > 0 {
		rows := make([][]string, 0, 1+len(u.SessionList))
		rows = append(rows, []string{"SESSION BEGUN", "LAST USED", "ENDS", "PROVED", "HOW"})
		for _, s := range u.SessionList {
			rows = append(rows, []string{stamp(s.Begun), stamp(s.LastUsed), stamp(s.Expires), stamp(s.AuthTime), cmp.Or(strings.Join(append([]string{s.ACR}, s.AMR...), " "), "-")})
		}
		p.Printf("\n")
		p.Table(rows)
	}
	if len(u.GrantList) > 0 {
		p.Printf("\n")
		showGrants(p, nil, GrantList{Grants: u.GrantList})
	}
}

// showListed prints a row of a table whose end is not known yet.
func showListed(p *Printer, before int, line Line) {
	const row = "%-19s  %8s  %8s  %-24s  %s\n"
	if before == 0 {
		p.Printf(row, "LAST USED", "SESSIONS", "GRANTS", "NAME", "SUBJECT")
	}
	u := line.User
	p.Printf(row, stamp(u.LastUsed), fmt.Sprint(u.Sessions), fmt.Sprint(u.Grants), cmp.Or(u.Name, u.Email, "-"), u.Subject)
}

func showListEnd(p *Printer, _ url.Values, end countedUsers) { p.Printf("%s\n", Users(end.Users)) }

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
