package handler

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// loginsFor returns the logins by which a person may sign in for a request.
func (s *Server) loginsFor(req loginRequest) []login.Login {
	client, ok := s.asking(req)
	if !ok || len(client.Logins) == 0 {
		return s.Logins
	}
	var may []login.Login
	for _, l := range s.Logins {
		if slices.Contains(client.Logins, l.Name()) {
			may = append(may, l)
		}
	}
	return may
}

// provider returns the login at a provider of this name, if a request may use it.
func (s *Server) provider(req loginRequest, name string) (login.Elsewhere, bool) {
	for _, l := range s.loginsFor(req) {
		if l.Name() == name {
			p, ok := l.(login.Elsewhere)
			return p, ok
		}
	}
	return nil, false
}

// straightTo returns the provider that a person is sent to without a page: the one
// that the request names, or that has their domain, or the only one there is. Who
// has just signed out is asked first.
func (s *Server) straightTo(r *http.Request, req loginRequest) (login.Elsewhere, bool) {
	logins := s.loginsFor(req)
	if a := req.auth; a != nil {
		if slices.Contains(a.Prompt, tokens.PromptSelectAccount) && len(logins) > 1 && a.Connection == "" {
			return nil, false
		}
		if l, ok := s.provider(req, a.Connection); ok {
			return l, true
		}
		if _, domain, ok := strings.Cut(a.LoginHint, "@"); ok {
			if l := byDomain(logins, domain); l != nil {
				return l, true
			}
		}
	}
	if len(logins) != 1 || wire.Cookie(r, s.cookies.out) != "" {
		return nil, false
	}
	l, ok := logins[0].(login.Elsewhere)
	return l, ok
}

// byDomain returns the provider whose domain an address has; two do not share one.
func byDomain(logins []login.Login, domain string) login.Elsewhere {
	for _, l := range logins {
		if p, ok := l.(login.Elsewhere); ok && slices.ContainsFunc(p.Domains(), func(d string) bool { return strings.EqualFold(d, domain) }) {
			return p
		}
	}
	return nil
}

// lastUsedFirst puts the login first that was used last in this browser.
func (s *Server) lastUsedFirst(r *http.Request, logins []login.Login) []login.Login {
	last := wire.Cookie(r, s.cookies.last)
	i := slices.IndexFunc(logins, func(l login.Login) bool { return l.Name() == last })
	if i <= 0 {
		return logins
	}
	sorted := append([]login.Login{logins[i]}, logins[:i]...)
	return append(sorted, logins[i+1:]...)
}

// rememberLogin notes in the browser which login was used, and that nobody is signed out any more.
func (s *Server) rememberLogin(w http.ResponseWriter, r *http.Request, name string) {
	if wire.Cookie(r, s.cookies.out) != "" {
		s.dropCookie(w, s.cookies.out)
	}
	if len(s.Logins) < 2 {
		return
	}
	s.keepCookie(w, s.cookies.last, name, int(browserFor.Seconds()))
}

// signedOutFor is how long after a sign-out, in seconds, nobody is signed in again without a click.
const signedOutFor = 10 * 60

// noteSignedOut notes that the person has just signed out: the next sign-in is not
// one that a provider answers by itself.
func (s *Server) noteSignedOut(w http.ResponseWriter) {
	s.keepCookie(w, s.cookies.out, "1", signedOutFor)
}
