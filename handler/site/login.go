package site

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// login begins a sign-in: it makes the attempt, and sends the browser to the authorization
// server. Somebody who is signed in already just goes on.
func (s *Site) login(w http.ResponseWriter, r *http.Request) {
	q := s.cfg.Original(r).Query()
	to, rule := returnTo(q.Get("to")), q.Get("rule")
	rules, keys, known := s.rulesOf(rule)
	if !known { // a guard's that is no more: those that are say theirs
		rule = ""
	}
	if kindOf(r) != navigation {
		s.problemAt(w, r, http.StatusUnauthorized, "Open this address in a browser to sign in.", s.loginURL(to, rule, ""))
		return
	}
	st := state{
		To: []byte(to), Rule: rule, At: s.cfg.Issuer.Now().Unix(),
		Keep: q.Get("keep") != "", Close: q.Get("close") != "", Again: q.Get("again") != "",
	}
	other := q.Get("other") != ""
	if !other {
		_, session, err := s.sessions.presented(r.Context(), r.Header, true)
		if err != nil {
			s.down(w, r, err)
			return
		}
		if session != nil && (&Guard{cfg: Config{Rules: rules}}).standing(session.Claims, session.Login, s) == stands {
			s.goOn(w, r, &st)
			return
		}
	}
	a := s.beginAttempt(w, r)
	st.ID = a.id[:]
	params, err := s.cfg.Issuer.Begin(r.Context(), sites.Request{
		Rules: rules, Origin: s.cfg.Origin, Life: s.cfg.Life, State: s.sealState(st), Challenge: a.challenge(), OtherAccount: other, Keys: keys,
	})
	if err != nil {
		s.down(w, r, err)
		return
	}
	separator := "?"
	if strings.Contains(s.cfg.AuthorizeURL, "?") {
		separator = "&"
	}
	redirect(w, s.cfg.AuthorizeURL+separator+params.Encode())
}

// goOn sends somebody who is signed in to where they wanted to go: on this origin, always.
func (s *Site) goOn(w http.ResponseWriter, r *http.Request, st *state) {
	to, t := s.cfg.Origin+string(st.To), s.texts(r)
	s.markReturn(w, st.Rule)
	switch {
	case st.Close:
		s.show(w, r, http.StatusOK, message{title: t.SiteDoneTitle, text: t.SiteDone, script: pages.SiteClose})
	case st.Keep:
		s.show(w, r, http.StatusOK, message{
			title: t.SiteGoOnTitle, script: pages.SiteGoOn, actions: []pages.SiteAction{{URL: to, Text: t.SiteGoOn, ID: pages.GoOnID}},
		})
	default:
		redirect(w, to)
	}
}

// callback takes the answer of the authorization server. See RFC 6749 §4.1.2 and RFC 9207 §2.4.
func (s *Site) callback(w http.ResponseWriter, r *http.Request) {
	if k := kindOf(r); k != navigation {
		s.problem(w, r, http.StatusForbidden, "Open this address in a browser.")
		return
	}
	q := s.cfg.Original(r).Query()
	st, ok := s.openState(q.Get("state"))
	if !ok {
		s.startOver(w, r, &state{To: []byte("/")})
		return
	}
	a := s.attemptOf(r, &st)
	if a == nil || q.Get("code") == "" && q.Get("error") == "" {
		s.startOver(w, r, &st)
		return
	}
	if q.Get("iss") != s.cfg.IssuerURL {
		s.failed(w, r, &st, s.texts(r).SiteFailed)
		return
	}
	if code := q.Get("error"); code != "" {
		s.setCookie(w, s.pendingName(a), "", -1)
		s.refusedThere(w, r, &st, oauth.ErrorCode(code))
		return
	}
	s.finish(w, r, &st, a, q.Get("code"))
}

// refusedThere goes on after the authorization server has signed nobody in.
func (s *Site) refusedThere(w http.ResponseWriter, r *http.Request, st *state, code oauth.ErrorCode) {
	switch code {
	case oauth.LoginRequired: // the request was too old
		s.startOver(w, r, st)
	case oauth.AccessDenied:
		s.failed(w, r, st, s.texts(r).SiteRefused)
	default:
		s.failed(w, r, st, s.texts(r).SiteFailed)
	}
}

// finish redeems the code, and gives the browser its session.
func (s *Site) finish(w http.ResponseWriter, r *http.Request, st *state, a *attempt, code string) {
	var before string
	for cookie := range wire.CookieValues(r.Header, s.cookies.session) {
		before = cookie
	}
	cookie, another, err := s.cfg.Issuer.Finish(r.Context(), sites.Return{
		Origin: s.cfg.Origin, Code: code, Verifier: a.verifier(), Life: s.cfg.Life, Replaces: before,
	})
	switch {
	case err != nil && unavailable(err):
		s.down(w, r, err)
		return
	case err != nil:
		s.setCookie(w, s.pendingName(a), "", -1)
		s.notBegun(w, r, st, oauth.AsError(err).Reason)
		return
	}
	s.sessions.drop(before)
	for _, old := range s.attempts(r) {
		s.setCookie(w, s.pendingName(old), "", -1)
	}
	if another {
		s.forgetApplication(w, r)
	}
	if wire.Cookie(r, s.cookies.leaving) != "" {
		s.setCookie(w, s.cookies.leaving, "", -1)
	}
	s.setCookie(w, s.cookies.session, cookie, int(s.cfg.Life.Absolute/time.Second))
	s.goOn(w, r, st)
}

// notBegun goes on where a code has begun no session: anew where it was spent, or too late.
func (s *Site) notBegun(w http.ResponseWriter, r *http.Request, st *state, reason oauth.Reason) {
	switch reason {
	case oauth.ReasonCodeSpent, oauth.ReasonCodeUnknown:
		s.startOver(w, r, st)
	case oauth.ReasonNotAllowed, oauth.ReasonUserChanged:
		s.failed(w, r, st, s.texts(r).SiteRefused)
	default:
		s.failed(w, r, st, s.texts(r).SiteFailed)
	}
}

// forgetApplication takes the cookies from a browser that the application has given it for
// another person: it may keep a session of its own.
func (s *Site) forgetApplication(w http.ResponseWriter, r *http.Request) {
	for _, c := range r.Cookies() {
		if !strings.Contains(c.Name, "gatehouse_") {
			http.SetCookie(w, &http.Cookie{ //nolint:gosec // it is taken, not given
				Name: c.Name, Path: "/", MaxAge: -1, Secure: s.cookies.secure || strings.HasPrefix(c.Name, "__"),
			})
		}
	}
}

// startOver goes on after a callback that cannot be finished: a page that was opened again,
// or another browser's. Whoever is signed in goes on; else the sign-in begins anew, once.
func (s *Site) startOver(w http.ResponseWriter, r *http.Request, st *state) {
	_, session, err := s.sessions.presented(r.Context(), r.Header, true)
	switch {
	case err != nil:
		s.down(w, r, err)
	case session != nil:
		s.goOn(w, r, st)
	case !st.Again:
		redirect(w, s.loginURL(string(st.To), st.Rule, st.more()+"&again=1"))
	default:
		t := s.texts(r)
		s.show(w, r, http.StatusForbidden, message{
			title: t.SiteCookieTitle, text: fmt.Sprintf(t.SiteCookie, s.name()), failed: true,
			actions: []pages.SiteAction{{URL: s.loginURL(string(st.To), st.Rule, st.more()), Text: t.SiteTryAgain}},
		})
	}
}

// more are the parameters of a sign-in beside where it comes back to.
func (st *state) more() (more string) {
	if st.Keep {
		more += "&keep=1"
	}
	if st.Close {
		more += "&close=1"
	}
	return more
}

// failed says that nobody was signed in.
func (s *Site) failed(w http.ResponseWriter, r *http.Request, st *state, text string) {
	t := s.texts(r)
	s.show(w, r, http.StatusForbidden, message{
		title: t.SiteFailedTitle, text: fmt.Sprintf(text, s.name()), failed: true,
		actions: []pages.SiteAction{{URL: s.loginURL(string(st.To), st.Rule, st.more()+"&other=1"), Text: t.SiteTryAgain}},
	})
}
