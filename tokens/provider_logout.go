package tokens

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// ProviderLogout is what a provider tells of a sign-out there.
type ProviderLogout struct {
	Login   string
	Session string // its name of it; "" for all of the person
	Subject string // its name of the person; may be "" beside a Session
	ByID    bool   // Subject is what follows the bar in our subjects
	At      time.Time
}

// providerClock is by how much a provider's clock may be behind the store's.
const providerClock = 10 * time.Second

// EndProvided ends what a provider says is over: the one session, or all that the person has.
// What was begun 10 s after that was said goes on, so that a token that somebody keeps ends
// nothing later. That nothing is found is no error. See OpenID Connect Back-Channel Logout
// §2.7: what applications hold with offline_access ends too, as by any sign-out here.
// Errors: oauth.TemporarilyUnavailable.
func (i *Issuer) EndProvided(ctx context.Context, l ProviderLogout) error {
	found, err := i.toldAbout(ctx, l)
	if err != nil {
		return oauth.Unavailable(err)
	}
	scope := storage.EndSession
	if l.Session == "" {
		scope = storage.EndUser
	}
	done := make(map[storage.Indexed]bool)
	for _, one := range found {
		if scope == storage.EndUser {
			one.Root = storage.SessionID{}
		}
		if done[one] {
			continue
		}
		done[one] = true
		r := storage.EndRequest{User: one.User, Scope: scope, Session: one.Root, Before: l.At.Add(providerClock)}
		res, err := i.state.End(ctx, r, history.EndedByProvider)
		if err != nil {
			return err
		}
		if res.New {
			i.observe(ctx, oauth.Event{Kind: oauth.EventLogout, Outcome: oauth.OutcomeProvider, User: one.User, Login: l.Login})
		}
	}
	return nil
}

// toldAbout finds the sessions, or the people, that a provider speaks of.
func (i *Issuer) toldAbout(ctx context.Context, l ProviderLogout) ([]storage.Indexed, error) {
	switch {
	case l.Session != "":
		return i.state.Store.FindIndex(ctx, nameOf(l.Login, "sid", l.Session))
	case !l.ByID:
		return i.state.Store.FindIndex(ctx, nameOf(l.Login, "sub", l.Subject))
	}
	user := storage.TagSubject(l.Login + "|" + l.Subject)
	a, err := i.state.Store.Alias(ctx, user)
	if a.Subject != "" {
		user = storage.TagSubject(a.Subject)
	}
	return []storage.Indexed{{User: user}}, err
}

// keepIDs is for how long a provider's names of a person and a session are known: what
// applications hold may live longer than the session.
const keepIDs = storage.KeepUpstream

// noteNames notes by which names the provider of a login will tell of its end. It is done
// before anybody has the session's cookie.
func (i *Issuer) noteNames(ctx context.Context, in Provided, s storage.Session) error {
	of := storage.Indexed{User: s.User, Root: s.Root}
	for _, name := range []struct{ kind, value string }{{"sid", in.Session}, {"sub", in.ID}} {
		if name.value == "" {
			continue
		}
		r := storage.IndexRequest{Key: nameOf(in.Profile.Login, name.kind, name.value), Indexed: of, Lifetime: max(s.Expires.Sub(s.Begun), keepIDs)}
		if err := i.state.Store.PutIndex(ctx, r); err != nil {
			return oauth.Unavailable(err)
		}
	}
	return nil
}

// nameOf is where what a provider calls something is found.
func nameOf(login, kind, value string) storage.IndexKey {
	return storage.IndexKey(storage.Hash16("provider-"+kind, []byte(login+"\x00"+value)))
}
