package tokens

import (
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// SignedIn is one application that a person is signed in with, by a refresh
// token of its own.
type SignedIn struct {
	NamedClient // whose Client is nil for a site, too

	Family  storage.Family
	Site    string // the origin of a site; "" for an application
	Key     string // what the person calls it, where it is an app key for the site
	Keys    bool   // they can make app keys for the site
	Device  string // where the login came from, such as "Firefox on Linux"; "" if that is forgotten
	Address string // where the last use came from that the history knows of; of a confidential client the login
	Here    bool   // it began in the browser that asks, in this session or one that it replaced
}

// SignedIn returns where a person is signed in, the newest login first: at most so many
// after those to skip, and of how many in all. Histories are read of those alone.
func (i *Issuer) SignedIn(ctx context.Context, l *Login, skip, most int) (part []SignedIn, all int, err error) {
	families, err := i.Grants(ctx, l.Profile.Subject)
	if err != nil {
		return nil, 0, err
	}
	live := make([]SignedIn, 0, len(families))
	for _, f := range slices.Backward(families) {
		ended, err := i.state.Denylist.ClientWatermark(ctx, f.Client)
		if err != nil {
			return nil, 0, err
		}
		if !f.Created.After(ended) {
			continue
		}
		live = append(live, SignedIn{Family: f, Here: f.Session == l.Session.Root})
	}
	part = live[min(skip, len(live)):]
	part = part[:min(most, len(part))]
	ids, shown := make([]storage.FamilyID, len(part)), make([]storage.Family, len(part))
	for n := range part {
		ids[n], shown[n] = part[n].Family.ID, part[n].Family
	}
	names, err := i.NameClientsOf(ctx, l.Session.User, shown...)
	if err != nil {
		return nil, 0, err
	}
	for n := range part {
		if part[n].NamedClient = names[n]; part[n].Client == nil && !shown[n].Client.Unregistered() {
			grant, _, err := i.state.Grants.Look(ctx, part[n].Family.Grant)
			if err != nil {
				return nil, 0, oauth.Unavailable(err)
			}
			part[n].Site, part[n].Key, part[n].Keys = grant.Site, grant.Key, grant.Keys
		}
	}
	histories, err := i.state.History.Of(ctx, ids...)
	if err != nil {
		return nil, 0, err
	}
	for n, entries := range histories {
		part[n].cameFrom(entries)
	}
	return part, len(live), nil
}

// cameFrom reads from a history where the person is. The backend of a confidential
// client refreshes from its own place: only the login itself came from the person's.
func (s *SignedIn) cameFrom(entries []history.Entry) {
	for _, h := range entries {
		if s.Client != nil && s.Client.Confidential() && h.Kind != history.Begun {
			continue
		}
		if s.Device == "" {
			s.Device = h.Device
		}
		if h.Address != "" {
			s.Address = h.Address
		}
	}
}

// SignOutOf ends what one application holds of a person, at that person's request. An id
// that was never theirs ends nothing: it would stay in the denylist, which every
// question about this person has to read.
func (i *Issuer) SignOutOf(ctx context.Context, l *Login, id storage.FamilyID) error {
	user := l.Session.User
	if theirs, err := i.HasOrHad(ctx, user, id); err != nil || !theirs {
		return err
	}
	res, err := i.state.End(ctx, storage.EndRequest{User: user, Scope: storage.EndFamily, Family: id, Tell: true}, history.EndedByPerson)
	if err == nil && res.New {
		i.observe(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: oauth.OutcomeAccount, Subject: l.Profile.Subject, User: user, Family: id})
	}
	return err
}

// HasOrHad reports whether a family is or was a user's: one that lives, or has ended a while ago.
func (i *Issuer) HasOrHad(ctx context.Context, user storage.UserTag, id storage.FamilyID) (bool, error) {
	_, lives, err := i.state.Store.LiveFamily(ctx, user, id)
	if err != nil {
		return false, oauth.Unavailable(err)
	}
	if lives {
		return true, nil
	}
	denied, err := i.state.Store.Denials(ctx, []storage.UserTag{user})
	if err == nil {
		err = denied[0].Err
	}
	if err != nil {
		return false, oauth.Unavailable(err)
	}
	return slices.ContainsFunc(denied[0].Entries, func(d storage.Denial) bool { return d.Kind == storage.DenyFamily && storage.FamilyID(d.ID) == id }), nil
}

// SignOutEverywhere ends all that a person has: sessions, this one too, and
// what applications hold.
func (i *Issuer) SignOutEverywhere(ctx context.Context, l *Login) error {
	user := l.Session.User
	if _, err := i.state.End(ctx, storage.EndRequest{User: user, Scope: storage.EndUser}, history.EndedByPerson); err != nil {
		return err
	}
	i.observe(ctx, oauth.Event{Kind: oauth.EventLogout, Outcome: oauth.OutcomeEverywhere, Subject: l.Profile.Subject, User: user})
	return nil
}
