package site

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// CheckAgain says why a request that a session has let in has to end, nil while it may go on:
// somebody has ended the session, or its person may not come in any more. Where expires is set,
// it also ends when the session is over by itself, or the person has to prove anew who they are.
// It counts as no use. Errors are *oauth.Error, TemporarilyUnavailable where the store cannot say.
//
// Newest is the site of the origin in the newest configuration, which knows best who is in which
// group; nil for that of the guard.
func (g *Guard) CheckAgain(ctx context.Context, r *Result, newest *Site, expires bool) error {
	s, h := r.site, r.held
	if newest != nil && newest != s {
		s, h = newest, newest.sessions.find(h.proof)
	}
	session, err := s.sessions.current(ctx, h, false)
	if err != nil {
		if !expires && overByItself(oauth.AsError(err).Reason) {
			return nil
		}
		return err
	}
	switch g.standing(session.Claims, session.Login, s) {
	case standsRefused:
		return oauth.BadToken(oauth.ReasonNotAllowed)
	case standsAnew:
		if expires {
			return oauth.BadToken(oauth.ReasonStepUp)
		}
	case stands:
	}
	return nil
}

// overByItself reports whether a session has come to its idle or absolute end: the store forgets
// those after a while.
func overByItself(reason oauth.Reason) bool {
	return reason == oauth.ReasonExpired || reason == oauth.ReasonUnknown
}
