package tokens

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// overdue reports whether a login's provider should be asked again about a person. A fifth
// of the time is left to chance, so that those who came at nine o'clock are not all
// asked about at once; for one root it is always the same.
func (i *Issuer) overdue(p *Profile, root storage.SessionID) bool {
	every, _ := i.schedule(p.Login)
	if every == 0 {
		return false
	}
	early := time.Duration(binary.BigEndian.Uint16(root[:])) * (every / 5 / (1 << 16))
	return i.storeNow().Sub(p.Checked) >= every-early
}

func (i *Issuer) schedule(login string) (every, grace time.Duration) {
	if i.cfg.Providers == nil {
		return 0, 0
	}
	return i.cfg.Providers.Schedule(login)
}

func (i *Issuer) storeNow() time.Time { return i.state.StoreTime(i.cfg.Clock)() }

// vouched sees to it, at a refresh, that somebody's provider is asked again in time. It
// waits for nobody: the answer counts from the next refresh on. Facts that are older than
// the grace serve no longer: then it waits, and what cannot be checked just now is for
// another try. A family for which nobody can ask has ended by then. It returns
// the profile as it is known now.
func (i *Issuer) vouched(ctx context.Context, p *Profile, f storage.Family, user storage.UserTag) (*Profile, error) {
	every, grace := i.schedule(p.Login)
	if every == 0 || p.Checked.IsZero() { // they came before `recheck` was there
		return p, nil
	}
	if !i.overdue(p, f.Session) {
		return p, nil
	}
	q := i.recheckLater(user, f.Session, p)
	if i.storeNow().Sub(p.Checked) <= every+grace {
		return p, nil
	}
	q = i.awaited(ctx, q, user, f.Session, p)
	switch {
	case q != nil && (q.kind == AnswerGone || q.kind == AnswerNotAllowed):
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonRevoked, deadRefreshToken)
	case q.nobody():
		return nil, i.endUnvouched(ctx, p, f, user)
	}
	record, err := i.state.Store.Profile(ctx, user)
	switch {
	case err != nil:
		return nil, oauth.Unavailable(err)
	case !record.Person.Checked.After(p.Checked):
		return nil, ErrUnvouched
	}
	now, err := parseProfile(record)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	return now, nil
}

// nobody reports whether there is nothing to ask the provider with, so that it never can be.
func (q *recheck) nobody() bool {
	return q != nil && !q.failed && !q.lease.Leased && !q.lease.Busy && !q.lease.Lately
}

// thin reports whether the provider said, now or lately, that the login is good, and nothing
// of the person.
func (q *recheck) thin() bool { return q != nil && (q.kind == AnswerThin || q.lease.Thin) }

// endUnvouched ends a family whose person no provider can be asked about any more.
func (i *Issuer) endUnvouched(ctx context.Context, p *Profile, f storage.Family, user storage.UserTag) error {
	if _, err := i.state.End(ctx, storage.EndRequest{User: user, Scope: storage.EndFamily, Family: f.ID}, history.EndedByProvider); err != nil {
		return err
	}
	i.observe(ctx, oauth.Event{Kind: oauth.EventRecheck, Outcome: oauth.OutcomeOverdue, Subject: p.Subject, User: user, Family: f.ID, Login: p.Login})
	return oauth.Refuse(oauth.InvalidGrant, oauth.ReasonProviderOverdue, deadRefreshToken)
}

// awaited waits for a recheck, or first for room for one, for recheckWait at most. It is
// nil where that was not enough.
func (i *Issuer) awaited(ctx context.Context, q *recheck, user storage.UserTag, root storage.SessionID, p *Profile) *recheck {
	ctx, cancel := context.WithTimeout(ctx, recheckWait)
	defer cancel()
	look := time.NewTicker(recheckPoll)
	defer look.Stop()
	for ; q == nil; q = i.recheckLater(user, root, p) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
	}
	select {
	case <-q.done:
		return q
	case <-ctx.Done():
		return nil
	}
}

// ErrUnvouched says that a person's provider could not be asked just now, and last vouched for
// them too long ago: it is not known whether they still may. It is no sign-out, and
// no trouble of the store. Of Revouched it comes while there is hope, for where
// there is no page to send the person to.
var ErrUnvouched = &oauth.Error{
	Code: oauth.TemporarilyUnavailable, Reason: oauth.ReasonProviderOverdue, RetryAfter: unvouchedPause,
	Description: "The identity provider could not be asked about the person. Try again shortly.",
}

// unvouchedPause is when to try again.
const unvouchedPause = 10 * time.Second

// Revouched returns a login for which its provider has vouched lately enough: as it is,
// or after it was asked, for which the person waits recheckWait at most. It is nil
// where they have to sign in again. The cookie is that of the login.
func (i *Issuer) Revouched(ctx context.Context, l *Login, cookie string) (*Login, error) {
	if l.Profile.Checked.IsZero() || !i.overdue(&l.Profile, l.Session.Root) {
		return l, nil
	}
	every, grace := i.schedule(l.Profile.Login)
	within := i.storeNow().Sub(l.Profile.Checked) <= every+grace // so long a thin answer will do
	user, root := l.Session.User, l.Session.Root
	began := time.Now()
	q := i.awaited(ctx, i.recheckLater(user, root, &l.Profile), user, root, &l.Profile)
	for {
		current, err := i.currentLogin(ctx, cookie, l.about)
		if err != nil || current == nil {
			return nil, err
		}
		if current.Profile.Checked.After(l.Profile.Checked) || within && q.thin() {
			return current, nil
		}
		if !within || q.nobody() {
			return nil, nil //nolint:nilnil // nobody vouches for them
		}
		if q == nil || !q.lease.Busy || time.Since(began) > recheckWait {
			return nil, ErrUnvouched
		}
		select { // another node is asking
		case <-time.After(recheckPoll):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
