package site

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/once"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

const (
	// leavingFor is how long another click on a sign-out goes the way of the first.
	leavingFor = 30 * time.Second
	// endTime is how long the end of a session may take.
	endTime = time.Minute
	// maxLeaving is how long that way may be in a cookie, in bytes: browsers drop those of
	// more than 4,096 with their names and attributes.
	maxLeaving = 3800
)

// leaving is how browsers sign out, and what is known of those that just have.
type leaving struct {
	*sessions
	ended *once.Answers[url.Values] // where they went on to, by the cookies of their sessions
}

func newLeaving(s *sessions) *leaving {
	return &leaving{sessions: s, ended: once.New[url.Values](leavingFor, time.Minute)}
}

// signOut ends the single sign-on session that a request's session came of, and returns the
// parameters with which the browser goes on to the issuer; none where nobody is signed in.
//
// A second click stops the first. It goes the same way: by the cookie of the session, where
// the browser has not had the answer to the first yet, and else by the one of takeCookies. So
// only the browser that has signed out can go there. Errors: TemporarilyUnavailable.
func (s *leaving) signOut(r *http.Request) (_ url.Values, err error) {
	tried := 0
	for cookie := range wire.CookieValues(r.Header, s.cookies.session) {
		if tried++; tried > maxPlanted {
			break
		}
		if _, ok := s.cfg.Issuer.Open(s.cfg.Origin, sites.UseSession, cookie); !ok {
			continue
		}
		left, failed := s.endOnce(r.Context(), cookie)
		switch {
		case errors.Is(failed, once.ErrUsed):
		case failed != nil:
			err = failed
		case left != nil:
			return left, nil
		}
	}
	if err != nil {
		return nil, err
	}
	for text := range wire.CookieValues(r.Header, s.cookies.leaving) {
		if left, err := url.ParseQuery(text); err == nil {
			return left, nil
		}
	}
	return nil, nil
}

// endOnce ends what the session of a cookie came of; nil parameters are of one that was over.
func (s *leaving) endOnce(ctx context.Context, cookie string) (url.Values, error) {
	sum := sha256.Sum256([]byte(cookie))
	return s.ended.Do(ctx, [16]byte(sum[:16]), s.cfg.Issuer.Now, func() (url.Values, error) {
		ctx, done := context.WithTimeout(context.WithoutCancel(ctx), endTime) // a second click hangs up on this one
		defer done()
		_, session, err := s.sessionOf(ctx, cookie, false)
		switch {
		case err != nil && unavailable(err):
			return nil, err
		case err != nil:
			return nil, nil
		}
		return s.cfg.Issuer.End(ctx, session.Claims)
	})
}

// takeCookies takes its cookies from a browser whose session is over, and gives it the way on,
// for a second click.
func (s *leaving) takeCookies(w http.ResponseWriter, r *http.Request, left url.Values) {
	for cookie := range wire.CookieValues(r.Header, s.cookies.session) {
		s.drop(cookie)
	}
	s.setCookie(w, s.cookies.session, "", -1)
	s.setCookie(w, s.cookies.returned, "", -1)
	if text := left.Encode(); text != "" && len(text) <= maxLeaving {
		s.setCookie(w, s.cookies.leaving, text, int(leavingFor/time.Second))
	}
}
