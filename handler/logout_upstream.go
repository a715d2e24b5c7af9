package handler

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// leftFor is how long, in seconds, a person may take at the sign-out of a provider.
var leftFor = int(ticketLifetime.Seconds())

// signsOut reports whether somebody who signs out here may be signed out at a provider too.
func (s *Server) signsOut() bool {
	return slices.ContainsFunc(s.Logins, func(l login.Login) bool {
		leaver, ok := l.(login.Leaver)
		return ok && leaver.Leaves()
	})
}

// elsewhereBy returns the login at a provider of this name.
func (s *Server) elsewhereBy(name string) (login.Elsewhere, bool) {
	for _, l := range s.Logins {
		if l.Name() == name {
			e, ok := l.(login.Elsewhere)
			return e, ok
		}
	}
	return nil, false
}

// loginOf returns the login by which a person came who is signed in, or else whom a hint
// names; "" where neither says it.
func loginOf(current *tokens.Login, hint *tokens.LogoutHint) string {
	if current != nil {
		return current.Profile.Login
	}
	if hint == nil {
		return ""
	}
	name, _, _ := strings.Cut(hint.Subject, "|")
	return name
}

// signOutAt returns where at a provider somebody is signed out whose session has ended here,
// and keeps in their browser where they go on from there; "" where they are not signed out
// there. See OpenID Connect RP-Initiated Logout §2.
func (s *Server) signOutAt(w http.ResponseWriter, r *http.Request, req *logoutRequest, given tokens.Given) (string, error) {
	l, ok := s.elsewhereBy(given.Login)
	leaver, can := l.(login.Leaver)
	if !ok || !can || given.IDToken == "" {
		return "", nil
	}
	back := *req
	back.Login = given.Login
	sealed, err := s.sealTicket(w, r, ticketLeft, ticket{Logout: &back})
	if err != nil {
		return "", err
	}
	if len(s.cookies.left)+len(sealed) > maxFlowCookie {
		return "", nil
	}
	to := leaver.LeaveURL(login.Leave{IDToken: given.IDToken, ReturnTo: s.urlOf("signed_out") + "/" + given.Login, State: leftState(sealed)})
	if to != "" {
		s.keepCookie(w, s.cookies.left, sealed, leftFor)
	}
	return to, nil
}

// leftState is the state that goes along with a ticket that stays in the browser.
func leftState(sealed string) string {
	id := browserIDOf(sealed)
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// comesBackSignedOut takes a browser that comes back from the sign-out of a provider, once,
// and sends it on to where the application wants the person. Who brings nothing of this
// browser goes nowhere.
func (s *Server) comesBackSignedOut(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r)
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(cleanPath(r.URL.Path), s.pathOf("signed_out")+"/")
	sealed := wire.Cookie(r, s.cookies.left)
	t, err := s.openTicket(r, ticketLeft, sealed)
	state := q["state"] // Auth0 and Cognito send none back
	switch {
	case err == nil && t.Logout.Login == name && (len(state) == 0 || len(state) == 1 && state[0] == leftState(sealed)):
		s.dropCookie(w, s.cookies.left)
		t.Logout.Login = "" // they were there
		return s.endLogout(w, r, t.Logout.UILocales, t.Logout)
	case s.session(r) != "":
		s.redirect(w, s.pathOf("account"))
		return nil
	}
	return s.endLogout(w, r, "", &logoutRequest{})
}
