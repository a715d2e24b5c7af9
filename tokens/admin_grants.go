package tokens

import (
	"context"
	"errors"
	"time"
)

// UserGrants are refresh token families of one user.
type UserGrants struct {
	User     UserTag
	Subject  string // "" where the profile is gone
	Families []Family
}

// Grants returns the live refresh token families of a subject, with the ends
// that they have as configured now.
func (i *Issuer) Grants(ctx context.Context, subject string) ([]Family, error) {
	families, err := i.state.Store.ListFamilies(ctx, TagSubject(subject))
	if err != nil {
		return nil, unavailable(err)
	}
	return i.live(ctx, families)
}

// ScanGrants calls each with the live families of a client's users, or of all
// users for client "". It reads everything that the store keeps of its users;
// scanned, if not nil, hears how many those were so far. An error of each ends it.
func (i *Issuer) ScanGrants(ctx context.Context, client string, scanned func(users int), each func(UserGrants) error) error {
	tag, users := TagClient(client), 0
	err := i.state.Store.ScanUsers(ctx, PartHeld, func(r Record) error {
		if users++; scanned != nil {
			scanned(users)
		}
		g := UserGrants{User: r.Held.User}
		for _, f := range r.Held.Families {
			if client == "" || f.Client == tag {
				g.Families = append(g.Families, f)
			}
		}
		var err error
		if g.Families, err = i.live(ctx, g.Families); err != nil || len(g.Families) == 0 {
			return err
		}
		g.Subject = subjectOf(r.Held.Profile)
		return each(g)
	})
	return i.scanError(err)
}

// errFound ends a scan that has found what it was for.
var errFound = errors.New("found")

// FindGrant looks for a family among all users; found is false when it does not
// live. Whoever knows the subject finds it in Grants without a scan.
func (i *Issuer) FindGrant(ctx context.Context, id FamilyID) (g UserGrants, found bool, err error) {
	err = i.ScanGrants(ctx, "", nil, func(all UserGrants) error {
		for _, f := range all.Families {
			if f.ID == id {
				g, found = UserGrants{User: all.User, Subject: all.Subject, Families: []Family{f}}, true
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

// scanError is what a scan failed with. What its callback returned, and the end
// of the caller's context, are no fault of the store.
func (i *Issuer) scanError(err error) error {
	if err == nil || errors.Is(err, errFound) || errors.Is(err, errAnswer) || errors.Is(err, context.Canceled) {
		return err
	}
	return unavailable(err)
}

// errAnswer is wrapped by what the answer of a scan failed with.
var errAnswer = errors.New("answering")

// live leaves out what is over by today's configuration and clients' watermarks.
func (i *Issuer) live(ctx context.Context, families []Family) ([]Family, error) {
	now := i.cfg.Clock()
	live := families[:0]
	for _, f := range families {
		watermark, err := i.state.Denylist.ClientWatermark(ctx, f.Client)
		if err != nil {
			return nil, err
		}
		if c, ok := i.Client(i.ClientOf(f)); ok {
			f = f.Limited(c.Refresh.Lifetime, c.Refresh.IdleLifetime)
		}
		if f.Created.After(watermark) && !f.Dead(now) {
			live = append(live, f)
		}
	}
	return live, nil
}

// ClientOf returns the id of the configured client that a family belongs to, or "".
func (i *Issuer) ClientOf(f Family) string {
	for _, c := range i.cfg.Clients {
		if c.tag == f.Client {
			return c.ID
		}
	}
	return ""
}

// subjectOf returns whom a profile is about, "" for none that can be read.
func subjectOf(profile []byte) string {
	if profile == nil {
		return ""
	}
	p, err := parseProfile(profile)
	if err != nil {
		return ""
	}
	return p.Subject
}

// Ends says what EndBegun is to end.
type Ends struct {
	Subject string    // of one user; "" for everybody
	Client  string    // at one client; "" for all, and the sessions too
	Before  time.Time // what was begun by a login at or before it
}

// Ended says what has ended.
type Ended struct {
	Users    int // who were looked at
	Sessions int // as far as they were asked for
	Families int
}

// EndBegun ends what comes from logins at or before a time, and its access
// tokens: what a login began later is no better than the login. It may be
// called again when it breaks off. progress, if not nil, hears of every user.
func (i *Issuer) EndBegun(ctx context.Context, what Ends, progress func(Ended)) (Ended, error) {
	var done Ended
	one := func(h HeldRecord) error {
		err := i.endBegun(ctx, what, h, &done)
		if done.Users++; err == nil && progress != nil {
			progress(done)
		}
		return err
	}
	if what.Subject != "" {
		h, err := i.state.Store.Held(ctx, TagSubject(what.Subject))
		if err != nil {
			return done, unavailable(err)
		}
		return done, one(h)
	}
	err := i.state.Store.ScanUsers(ctx, PartHeld, func(r Record) error { return one(*r.Held) })
	return done, i.scanError(err)
}

// loginAfter reports whether the login that a family came from was after a time.
// The family knows only its own beginning and what the tokens say: neither is
// earlier, or later, than the login, so that an end reaches too much rather than
// too little.
func (f Family) loginAfter(t time.Time) bool {
	return f.Created.After(t) && (f.AuthTime.IsZero() || f.AuthTime.After(t))
}

func (i *Issuer) endBegun(ctx context.Context, what Ends, h HeldRecord, done *Ended) error {
	over := make(map[FamilyID]bool)
	if what.Client == "" {
		for _, s := range h.Sessions {
			if s.Begun.After(what.Before) {
				continue
			}
			res, err := i.end(ctx, EndRequest{User: h.User, Scope: EndSession, Session: s.ID}, EndedByOperator)
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
	tag := TagClient(what.Client)
	for _, f := range h.Families {
		if over[f.ID] || f.loginAfter(what.Before) || what.Client != "" && f.Client != tag {
			continue
		}
		res, err := i.end(ctx, EndRequest{User: h.User, Scope: EndFamily, Family: f.ID}, EndedByOperator)
		if err != nil {
			return err
		}
		done.Families += len(res.Families)
	}
	return nil
}
