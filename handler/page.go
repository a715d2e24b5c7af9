package handler

import (
	"crypto/rand"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// pageOptions are what differs between the security headers of our pages.
type pageOptions struct {
	// form says that the page has a form.
	form bool
	// leaves says that what the form leads to is the application's: Chromium and
	// Safari apply form-action to every redirect that follows a post, also to
	// those of the application itself, and where these end nobody has told us. So it
	// is of a provider at which somebody signs out.
	// Such a page goes without form-action.
	leaves bool
	// script is the nonce of the page's one script.
	script string
	// framedBy is the one origin that may frame the page; "" for none.
	framedBy string
}

// writePage sends a page. A failure to render it is a 500 without details.
func (s *Server) writePage(w http.ResponseWriter, status int, page pages.Page, err error, o pageOptions) {
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	s.protect(h, o)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", page.Lang)
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(page.HTML)
}

// protect sets the headers that isolate a page in the browser. There is no
// Cross-Origin-Opener-Policy: a popup's answer must reach its opener.
// See RFC 9700 §4.2.4 and §4.16.
func (s *Server) protect(h http.Header, o pageOptions) {
	wire.NoStore(h)
	h.Set("Content-Security-Policy", s.policy(o))
	h.Set("X-Content-Type-Options", "nosniff")
	if o.framedBy == "" {
		h.Set("X-Frame-Options", "DENY")
	}
	h.Set("Referrer-Policy", "no-referrer")
	if o.form {
		// With no-referrer the browser posts with the Origin null.
		h.Set("Referrer-Policy", "same-origin")
	}
}

// policy writes the Content-Security-Policy of a page.
func (s *Server) policy(o pageOptions) string {
	p := "default-src 'none'; base-uri 'none'; style-src " + s.pages.StyleSource() + "; img-src " + s.pages.ImageSource()
	if o.script != "" {
		p += "; script-src 'nonce-" + o.script + "'"
	}
	switch {
	case !o.form:
		p += "; form-action 'none'"
	case !o.leaves:
		p += "; form-action 'self'"
	}
	if o.framedBy != "" {
		return p + "; frame-ancestors " + o.framedBy
	}
	return p + "; frame-ancestors 'none'"
}

// nonce returns a fresh value for a script of a page.
func nonce() string { return rand.Text() }

// reference returns by what the log knows of a request, "" without a log, and when that was.
func (s *Server) reference(r *http.Request, t *pages.Texts) (id, at string) {
	if id = s.RequestID(r); id != "" {
		at = t.DateOf(s.Clock())
	}
	return id, at
}

// ServeNothing answers a request for a path that nobody serves: a person at the
// issuer's own address reads where to begin, and elsewhere that nothing is there.
func (s *Server) ServeNothing(w http.ResponseWriter, r *http.Request) {
	t := s.texts(r, "")
	m, status := pages.Message{Title: t.NotFoundTitle, Text: t.NotFound, Failed: true}, http.StatusNotFound
	if p := cleanPath(r.URL.Path); p == s.base || p == s.base+"/" {
		m, status = pages.Message{Title: t.StartTitle, Text: t.Start}, http.StatusOK
	}
	html, err := s.pages.Message(t, m)
	s.writePage(w, status, html, err, pageOptions{})
}

// showStart answers somebody who came to a form's address by themselves.
func (s *Server) showStart(w http.ResponseWriter, r *http.Request) error {
	t := s.texts(r, r.URL.Query().Get("ui_locales"))
	html, err := s.pages.Message(t, pages.Message{Title: t.StartTitle, Text: t.Start})
	s.writePage(w, http.StatusOK, html, err, pageOptions{})
	return nil
}
