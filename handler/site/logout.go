package site

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// logout ends the single sign-on session of a person, and all that they opened by it, and
// sends the browser to the issuer, which has their provider sign them out, too. It takes
// a POST of our own pages, or a link on one; anybody else's link, image or address bar
// shows a page that asks.
func (s *Site) logout(w http.ResponseWriter, r *http.Request) {
	k, t := kindOf(r), s.texts(r)
	switch {
	case k == prefetched, k == framed:
		s.problem(w, r, http.StatusForbidden, "Open this address in a window of its own to sign out.")
		return
	case r.Method == http.MethodPost && sentByOwnPages(r, s.cfg.Origin):
	case k == navigation && r.Header.Get("Sec-Fetch-Site") == "same-origin" && sentByOwnPages(r, s.cfg.Origin):
	case k == navigation:
		s.show(w, r, http.StatusOK, message{
			title: t.SignOutTitle, text: fmt.Sprintf(t.SiteSignOutAsk, s.name()),
			actions: []pages.SiteAction{{URL: pathLogout, Text: t.SignOut, Post: true}},
		})
		return
	default:
		s.refuseOrigin(w, r)
		return
	}
	to := s.cfg.SignedOutURL
	left, err := s.leaving.signOut(r)
	if err != nil {
		w.Header().Set("Retry-After", "5")
		s.show(w, r, http.StatusServiceUnavailable, message{title: t.UnavailableTitle, text: t.SiteNotSignedOut, failed: true})
		return
	}
	if left != nil {
		to += "?" + left.Encode()
	}
	s.leaving.takeCookies(w, r, left)
	w.Header().Set("Clear-Site-Data", `"cache"`)
	redirect(w, to)
}

// signedIn is what scripts of the application hear about who is signed in.
type signedIn struct {
	Subject  string   `json:"sub"`
	Username any      `json:"username,omitempty"`
	Name     any      `json:"name,omitempty"`
	Email    any      `json:"email,omitempty"`
	Groups   []string `json:"groups"`
	// Expires is when the session ends in any case, Idle when it ends unless it is used.
	Expires string `json:"expires_at"`
	Idle    string `json:"idle_at,omitempty"`
	Logout  string `json:"logout"`
}

// session tells scripts who is signed in, and how long. It counts as no use of the session.
func (s *Site) session(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		s.problem(w, r, http.StatusMethodNotAllowed, "This method is not allowed here.")
		return
	}
	_, session, err := s.sessions.presented(r.Context(), r.Header, false)
	switch {
	case err != nil:
		w.Header().Set("Retry-After", "5")
		s.problem(w, r, http.StatusServiceUnavailable, "It cannot be checked right now who is signed in.")
		return
	case session == nil:
		s.problemAt(w, r, http.StatusUnauthorized, "Nobody is signed in.", s.loginURL("/", "", ""))
		return
	case !sentByOwnPages(r, s.cfg.Origin):
		s.problem(w, r, http.StatusForbidden, "The request did not come from a page of this site.")
		return
	}
	c := session.Claims
	answer := signedIn{
		Subject: c.Subject, Username: claim(c, "username"), Name: claim(c, "name"), Email: claim(c, "email"),
		Groups: append([]string{}, c.Groups...), Expires: c.Expiry.UTC().Format(time.RFC3339), Logout: s.cfg.Origin + pathLogout,
	}
	if !session.Ends.IsZero() && session.Ends.Before(c.Expiry) {
		answer.Idle = session.Ends.UTC().Format(time.RFC3339)
	}
	own(w)
	wire.WriteJSON(w, http.StatusOK, answer)
}

func claim(c *verify.Claims, name string) any {
	v, _ := c.Lookup(name)
	return v
}
