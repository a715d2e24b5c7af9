package admin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// UserGrants are refresh token families of one user.
type UserGrants struct {
	User     storage.UserTag
	Subject  string // "" where the profile is gone
	Families []storage.Family
}

// ScanGrants calls each with the live families of a client's users, or of all
// users for client "". It reads everything that the store keeps of its users;
// scanned, if not nil, hears how many those were so far. An error of each ends it.
func (o *Operator) ScanGrants(ctx context.Context, client string, scanned func(users int), each func(UserGrants) error) error {
	tags, users := o.tagsOf(client), 0
	err := o.state.Store.ScanUsers(ctx, storage.PartHeld, func(r storage.Record) error {
		if users++; scanned != nil {
			scanned(users)
		}
		g := UserGrants{User: r.Held.User}
		for _, f := range r.Held.Families {
			if client == "" || slices.Contains(tags, f.Client) {
				g.Families = append(g.Families, f)
			}
		}
		var err error
		if g.Families, err = o.issuer.Live(ctx, g.Families); err != nil || len(g.Families) == 0 {
			return err
		}
		g.Subject = r.Held.Profile.Subject
		return each(g)
	})
	return o.scanError(err)
}

// errFound ends a scan that has found what it was for.
var errFound = errors.New("found")

// FindGrant looks for a family among all users; found is false when it does not
// live. If the subject is known, tokens.Issuer.Grants finds it without a scan.
func (o *Operator) FindGrant(ctx context.Context, id storage.FamilyID) (g UserGrants, found bool, err error) {
	err = o.ScanGrants(ctx, "", nil, func(all UserGrants) error {
		for _, f := range all.Families {
			if f.ID == id {
				g, found = UserGrants{User: all.User, Subject: all.Subject, Families: []storage.Family{f}}, true
				return errFound
			}
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return g, found, err
}

// scanError returns what a scan failed with. An error of its callback, and the end
// of the caller's context, are not faults of the store.
func (o *Operator) scanError(err error) error {
	if err == nil || errors.Is(err, errFound) || errors.Is(err, errAnswer) || errors.Is(err, context.Canceled) {
		return err
	}
	return oauth.Unavailable(err)
}

// errAnswer is wrapped by the errors of a scan's answer.
var errAnswer = errors.New("answering")

// Ends says what EndBegun is to end.
type Ends struct {
	Subject string    // of one user; "" for everybody
	Client  string    // at one client; "" for all, and the sessions too
	Before  time.Time // what was begun by a login at or before it
}

// Ended says what has ended.
type Ended struct {
	Users    int // that were looked at
	Sessions int // as far as they were asked for
	Families int
}

// EndBegun ends what comes from logins at or before a time, and its access
// tokens: what a login began later is no better than the login. It may be
// called again when it breaks off. progress, if not nil, hears of every user.
func (o *Operator) EndBegun(ctx context.Context, what Ends, progress func(Ended)) (Ended, error) {
	var done Ended
	one := func(h storage.HeldRecord) error {
		err := o.endBegun(ctx, what, h, &done)
		if done.Users++; err == nil && progress != nil {
			progress(done)
		}
		return err
	}
	if what.Subject != "" {
		h, err := o.state.Store.Held(ctx, storage.TagSubject(what.Subject))
		if err != nil {
			return done, oauth.Unavailable(err)
		}
		return done, one(h)
	}
	err := o.state.Store.ScanUsers(ctx, storage.PartHeld, func(r storage.Record) error { return one(*r.Held) })
	return done, o.scanError(err)
}

func (o *Operator) endBegun(ctx context.Context, what Ends, h storage.HeldRecord, done *Ended) error {
	over := make(map[storage.FamilyID]bool)
	if what.Client == "" {
		for _, s := range h.Sessions {
			if s.Begun.After(what.Before) {
				continue
			}
			res, err := o.state.End(ctx, storage.EndRequest{User: h.User, Scope: storage.EndSession, Session: s.ID}, history.EndedByOperator)
			if err != nil {
				return err
			}
			done.Sessions++
			done.Families += len(res.Families)
			for _, id := range res.Families {
				over[id] = true
			}
		}
	}
	tags := o.tagsOf(what.Client)
	for _, f := range h.Families {
		if over[f.ID] || f.LoginAfter(what.Before) || what.Client != "" && !slices.Contains(tags, f.Client) {
			continue
		}
		res, err := o.state.End(ctx, storage.EndRequest{User: h.User, Scope: storage.EndFamily, Family: f.ID, Tell: true}, history.EndedByOperator)
		if err != nil {
			return err
		}
		done.Families += len(res.Families)
	}
	return nil
}
