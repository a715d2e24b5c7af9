package handler

import (
	"html/template"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
)

// maxSentOn is how long a URL may get that takes parameters along. Any browser
// and any proxy takes that much.
const maxSentOn = 4 << 10

// withoutCookies reports whether another site has posted a request: then the
// browser has kept our cookies back, and who is signed in cannot be known.
// See RFC 6265bis §5.6.7.2 (SameSite=Lax).
func (s *Server) withoutCookies(r *http.Request) bool {
	if r.Method != http.MethodPost || len(r.CookiesNamed(s.cookies.session)) > 0 || len(r.CookiesNamed(s.cookies.browser)) > 0 {
		return false
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "cross-site"
	}
	origin := r.Header.Get("Origin")
	return origin != "" && origin != s.issuerOrigin
}

// sendOn has the browser make the same request again from our own origin, with
// our cookies: by GET, or, where an ID token would then stand in a URL or that
// would get too long, by a page that posts itself. It sets no cookie, since the
// browser has others that it did not send.
func (s *Server) sendOn(w http.ResponseWriter, r *http.Request, endpoint string, q url.Values) error {
	to := s.urlOf(endpoint)
	if !q.Has("id_token_hint") && len(to)+len(q.Encode()) < maxSentOn {
		s.redirect(w, withQuery(to, q))
		return nil
	}
	return s.postOn(w, r, to, q)
}

// postOn has the browser post the same fields again from our own origin, with our
// cookies. What they hold never stands in a URL.
func (s *Server) postOn(w http.ResponseWriter, r *http.Request, to string, q url.Values) error {
	page := pages.FormPost{Target: template.URL(to), Nonce: nonce()} //nolint:gosec // our own address
	for name, values := range q {
		for _, v := range values {
			page.Fields = append(page.Fields, pages.Field{Name: name, Value: v})
		}
	}
	html, err := s.pages.FormPost(s.texts(r, q.Get("ui_locales")), page)
	s.writePage(w, http.StatusOK, html, err, pageOptions{form: true, leaves: true, script: page.Nonce})
	return nil
}

func withQuery(to string, q url.Values) string {
	if len(q) == 0 {
		return to
	}
	return to + "?" + q.Encode()
}
