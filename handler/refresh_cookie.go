package handler

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// maxCookieAge is the longest that browsers keep a cookie (RFC 6265bis §5.5),
// for tokens without an end.
const maxCookieAge = 400 * 24 * time.Hour

// refresh is the refresh token grant of browser apps that never hold the
// token: it comes in a cookie, and its successor goes into one. The cookie is
// SameSite=Strict, but a neighbour on the same site could still make a browser
// send it: the Origin decides. See RFC 9700 §4.14, RFC 10017 §6.1.
func (s *Server) refresh(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r)
	if err != nil {
		return err
	}
	client, err := s.authenticate(w, r, p)
	if err != nil {
		return err
	}
	if !client.Refresh.Cookie {
		return s.about(client.ID, errNoCookieClient)
	}
	if !fromOwnPage(r, client) {
		return s.about(client.ID, errOrigin.With(originMismatch(r, client)))
	}
	value := wire.Cookie(r, s.cookies.refresh(client))
	if value == "" {
		return errNoCookie
	}
	sender, err := s.sender(w, r, client, "refresh")
	if err != nil {
		return err
	}
	res, err := s.Issuer.RefreshByCookie(r.Context(), client, tokens.TokenRequest{
		RefreshToken: value, Scope: p.get("scope"), Audiences: p.audiences(), Sender: sender,
	})
	if err != nil {
		// A dead cookie stays in the browser: another tab may have signed in
		// meanwhile, and to clear it would take the new one.
		return told{err}
	}
	if res.Cookie != nil {
		s.setRefresh(w, client, res.Cookie)
	}
	wire.WriteJSON(w, http.StatusOK, res)
	return nil
}

var (
	errOrigin = &oauth.Error{
		Code: oauth.AccessDenied, Reason: oauth.ReasonBadOrigin,
		Description: "Call this from a page of an origin that the client has registered.",
	}
	errNoCookieClient = oauth.Refuse(oauth.UnauthorizedClient, oauth.ReasonUnsupportedGrant,
		"The client does not keep its refresh token in a cookie.").With(oauth.Mismatch{Option: "cookie"})
	errNoCookie = &oauth.Error{
		Code:        oauth.LoginRequired,
		Description: "This client has no refresh cookie: sign in. Requests must be made with credentials, from the same site.",
	}
)

// fromOwnPage reports whether a script of one of the client's own pages sends
// the request. Browsers write both headers, and scripts cannot.
// See Fetch Metadata Request Headers §2.
func fromOwnPage(r *http.Request, c *clients.Client) bool {
	origin, one := wire.RequestOrigin(r)
	if !one || !c.HasOrigin(origin) {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "same-site":
		return true
	}
	return false
}

// originMismatch says from which page such a request came, and from which it may come.
func originMismatch(r *http.Request, c *clients.Client) oauth.Mismatch {
	return oauth.Mismatch{Sent: oauth.PrintableURI(r.Header.Get("Origin")), Registered: c.Origins, Option: "origins"}
}

// keepRefresh gives the browser the refresh token of a sign-in that has just
// succeeded. It takes the place of the one before, which nobody honest can use
// any more: that ends, and so it does where this sign-in brought none.
func (s *Server) keepRefresh(w http.ResponseWriter, r *http.Request, c *clients.Client, fresh *tokens.RefreshCookie) {
	before := wire.Cookie(r, s.cookies.refresh(c))
	switch {
	case fresh != nil:
		s.setRefresh(w, c, fresh)
	case before != "":
		s.clearRefresh(w, c)
	}
	if before == "" {
		return
	}
	if err := s.Issuer.ReplaceCookie(r.Context(), c, before); err != nil {
		s.report(r.Context(), "refresh", err) // the sign-in stands all the same
	}
}

// endRefresh ends the refresh tokens that this browser has sent, of all
// clients, and takes the cookies from it. With only, those of other users stay.
func (s *Server) endRefresh(w http.ResponseWriter, r *http.Request, only *storage.UserTag) error {
	for _, c := range s.Issuer.Clients() {
		if err := s.endRefreshOf(w, r, c, only); err != nil {
			return err
		}
	}
	return nil
}

// endRefreshOf is endRefresh for one client.
func (s *Server) endRefreshOf(w http.ResponseWriter, r *http.Request, c *clients.Client, only *storage.UserTag) error {
	value := s.refreshSent(r, c)
	if value == "" {
		return nil
	}
	ended, err := s.Issuer.EndCookie(r.Context(), c, value, only)
	if err != nil {
		return err
	}
	if ended {
		s.clearRefresh(w, c)
	}
	return nil
}

// refreshSent returns the refresh token that the browser keeps for a client, or "".
func (s *Server) refreshSent(r *http.Request, c *clients.Client) string {
	if !c.Refresh.Cookie {
		return ""
	}
	return wire.Cookie(r, s.cookies.refresh(c))
}

// anyRefreshSent reports whether the browser keeps a refresh token for any client.
func (s *Server) anyRefreshSent(r *http.Request) bool {
	for _, c := range s.Issuer.Clients() {
		if s.refreshSent(r, c) != "" {
			return true
		}
	}
	return false
}

// setRefresh gives the browser a refresh token. It lives as long as the token.
func (s *Server) setRefresh(w http.ResponseWriter, c *clients.Client, t *tokens.RefreshCookie) {
	age := maxCookieAge
	if !t.Expires.IsZero() {
		age = min(age, t.Expires.Sub(s.Clock()))
	}
	s.writeRefresh(w, c, t.Value, max(1, int(age.Seconds())))
}

// clearRefresh takes the refresh token from the browser.
func (s *Server) clearRefresh(w http.ResponseWriter, c *clients.Client) { s.writeRefresh(w, c, "", -1) }

func (s *Server) writeRefresh(w http.ResponseWriter, c *clients.Client, value string, maxAge int) {
	cookie := s.cookies.cookie(s.cookies.refresh(c), value) //nolint:gosec // it sets the attributes
	cookie.SameSite, cookie.MaxAge = http.SameSiteStrictMode, maxAge
	http.SetCookie(w, cookie)
}
