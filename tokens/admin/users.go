package admin

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// UserState is what operators may see of a user.
type UserState struct {
	Subject  string // "" where the profile is gone
	User     storage.UserTag
	Name     string // as the person's login calls them; "" for none
	Email    string
	Known    bool // has logged in, and is remembered
	Disabled bool
	Checked  time.Time         // when the login's provider last vouched for them; zero where none is asked
	Families []storage.Family  // live
	Sessions []storage.Session // live
	Groups   []Membership      // that they are in now, in order; of one user alone
	Rights   []Right           // what not everybody may do; of one user alone
	// MovedTo is who this one signs in as, "" for themselves, and
	// MovedFrom are the subjects that sign in as this one: of User alone.
	MovedTo   string
	MovedFrom []string
}

// LastUsed is when the person, or an application for them, was last here.
func (u *UserState) LastUsed() (last time.Time) {
	for _, f := range u.Families {
		if f.Rotated.After(last) {
			last = f.Rotated
		}
	}
	for _, s := range u.Sessions {
		if s.Used.After(last) {
			last = s.Used
		}
	}
	return last
}

// User returns what is known of a person by the tag of their subject, which is "" where nobody
// knows it.
func (o *Operator) User(ctx context.Context, user storage.UserTag, subject string) (UserState, error) {
	h, err := o.state.Store.Held(ctx, user)
	if err != nil {
		return UserState{User: user}, oauth.Unavailable(err)
	}
	h.User = user
	u, err := o.userState(ctx, h)
	if err != nil {
		return u, err
	}
	denied, err := o.state.Store.Denials(ctx, []storage.UserTag{u.User})
	if err != nil {
		return u, oauth.Unavailable(err)
	}
	if u.Subject == "" {
		u.Subject = subject
	}
	if strings.Contains(u.Subject, "|") { // machines are in no group
		u.Groups = o.groupsOf(user, u.Subject, h.Profile.Person.Groups)
		u.Rights = o.rightsOf(user, u.Subject, h.Profile.Person.Groups)
	}
	u.Disabled = slices.ContainsFunc(denied[0].Entries, func(d storage.Denial) bool { return d.Kind == storage.DenyUser })
	all, err := o.state.Store.ListAliases(ctx)
	if err != nil {
		return u, oauth.Unavailable(err)
	}
	for _, a := range all {
		if storage.TagSubject(a.From) == user {
			u.MovedTo = a.Subject
		}
		if storage.TagSubject(a.Subject) == user {
			u.MovedFrom = append(u.MovedFrom, a.From)
		}
	}
	return u, nil
}

// userState reads what a user holds.
func (o *Operator) userState(ctx context.Context, h storage.HeldRecord) (u UserState, err error) {
	u = UserState{User: h.User, Subject: h.Profile.Subject, Known: h.Profile.Subject != "", Checked: h.Profile.Person.Checked}
	var claims struct{ Name, Email any }
	if json.Unmarshal(h.Profile.Person.Claims, &claims) == nil {
		u.Name, _ = claims.Name.(string)
		u.Email, _ = claims.Email.(string)
	}
	if u.Families, err = o.issuer.Live(ctx, h.Families); err != nil {
		return u, err
	}
	everyone, err := o.state.Denylist.ClientWatermark(ctx, storage.Everyone)
	if err != nil {
		return u, err
	}
	for _, s := range h.Sessions {
		if s.Begun.After(everyone) {
			u.Sessions = append(u.Sessions, s)
		}
	}
	return u, nil
}

// ScanKnown calls each with every user who has logged in by a login, by any for "". Who
// is disabled is not said. An error of each ends the scan.
func (o *Operator) ScanKnown(ctx context.Context, login string, each func(UserState) error) error {
	err := o.state.Store.ScanUsers(ctx, storage.PartHeld, func(r storage.Record) error {
		of, _, _ := strings.Cut(r.Held.Profile.Subject, "|")
		if of == "" || login != "" && of != login {
			return nil
		}
		u, err := o.userState(ctx, *r.Held)
		if err != nil {
			return err
		}
		return each(u)
	})
	return o.scanError(err)
}

// ScanDisabled calls each with every disabled user. An error of each ends the scan.
func (o *Operator) ScanDisabled(ctx context.Context, each func(UserState) error) error {
	err := o.state.Store.ScanUsers(ctx, storage.PartDenied, func(r storage.Record) error {
		if !r.Denied.Disabled() {
			return nil
		}
		u := UserState{User: r.Denied.User, Disabled: true}
		profile, err := o.state.Store.Profile(ctx, u.User)
		if err != nil {
			return err
		}
		u.Known, u.Subject = profile.Subject != "", profile.Subject
		return each(u)
	})
	return o.scanError(err)
}
