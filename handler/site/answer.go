package site

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// swallowed is how much of a body is read before an answer that does not need it, in bytes: a
// client that still sends would lose the answer with the connection.
const swallowed = 1 << 20

func swallow(r *http.Request) {
	if r.Body != nil {
		_, _ = io.CopyN(io.Discard, r.Body, swallowed)
	}
}

// refusePerson answers somebody who is signed in and may not come in: with a page that says
// who they are, and lets them be somebody else by the rules of the guard; never with a redirect.
func (s *base) refusePerson(w http.ResponseWriter, r *http.Request, session *sites.Session, rule string) {
	t := s.texts(r)
	if k := kindOf(r); k == program || k == prefetched {
		swallow(r)
		s.problem(w, r, http.StatusForbidden, "This account may not come in here.")
		return
	}
	s.show(w, r, http.StatusForbidden, message{
		title: t.SiteDeniedTitle, text: fmt.Sprintf(t.SiteDenied, s.name()), failed: true, account: account(session),
		actions: []pages.SiteAction{
			{URL: s.loginURL(s.asked(r), rule, "&other=1"), Text: t.SiteAnother},
			{URL: s.cfg.Origin + pathLogout, Text: t.SiteSignOut},
		},
	})
}

// account is how a person knows their account.
func account(session *sites.Session) string {
	for _, claim := range []string{"name", "email"} {
		if v, ok := session.Claims.Lookup(claim); ok {
			if text, ok := v.(string); ok && text != "" {
				return text + " (" + session.Claims.Subject + ")"
			}
		}
	}
	return session.Claims.Subject
}

// refuseOrigin answers a request that another origin's page has sent in somebody's name.
func (s *base) refuseOrigin(w http.ResponseWriter, r *http.Request) {
	t := s.texts(r)
	swallow(r)
	if k := kindOf(r); k == program || k == prefetched {
		s.problem(w, r, http.StatusForbidden, "The request did not come from a page of this site.")
		return
	}
	s.show(w, r, http.StatusForbidden, message{title: t.SiteOriginTitle, text: t.SiteOrigin, failed: true})
}

// misdirected answers a request for another host than the site's. See RFC 9110 §15.5.20.
func (s *base) misdirected(w http.ResponseWriter, r *http.Request) {
	swallow(r)
	if k := kindOf(r); k == program || k == prefetched {
		s.problem(w, r, http.StatusMisdirectedRequest, "This host is not one that the site is configured for (`origin`).")
		return
	}
	s.show(w, r, http.StatusMisdirectedRequest, message{title: s.texts(r).SiteHostTitle, text: s.texts(r).SiteHost, failed: true})
}

// retryDown is when to come again, in seconds, while the store is away.
const retryDown = 5

// down answers while the store cannot be asked.
func (s *base) down(w http.ResponseWriter, r *http.Request, err error) {
	wire.NoteVerdict(r, oauth.ReasonStore, "")
	if e := oauth.AsError(err); e.Cause != nil && r.Context().Err() == nil {
		s.cfg.Observer.Happened(r.Context(), oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.OutcomeGuard, Cause: e.Cause})
	}
	w.Header().Set("Retry-After", strconv.Itoa(retryDown))
	swallow(r)
	t := s.texts(r)
	if k := kindOf(r); k == program || k == prefetched {
		s.problem(w, r, http.StatusServiceUnavailable, "It cannot be checked right now who is signed in. Try again shortly.")
		return
	}
	s.show(w, r, http.StatusServiceUnavailable, message{title: t.UnavailableTitle, text: fmt.Sprintf(t.SiteDown, s.name()), failed: true})
}

// own marks an answer as ours, for scripts and for caches.
func own(w http.ResponseWriter) {
	h := w.Header()
	wire.NoStore(h)
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
}

// problemType marks what the guard answers to programs, apart from what the application does.
const problemType = "urn:gatehouse:sign-in"

// problem answers a program. See RFC 9457.
func (s *base) problem(w http.ResponseWriter, r *http.Request, status int, title string) {
	s.problemAt(w, r, status, title, "")
}

// problemAt answers a program, and says where a person can sign in.
func (s *base) problemAt(w http.ResponseWriter, _ *http.Request, status int, title, login string) {
	own(w)
	h := w.Header()
	body := struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Login  string `json:"login,omitempty"`
	}{problemType, title, status, login}
	if login != "" {
		h.Add(wire.ChallengeHeader, `Gatehouse login="`+wire.Quotable(login)+`"`)
	}
	text, err := json.Marshal(body)
	if err != nil { // no such type can fail
		text = nil
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

// message is a page.
type message struct {
	title, text, account string
	failed               bool
	actions              []pages.SiteAction
	script               template.JS
	framed               bool // others may frame it: it does nothing
}

// show answers a person.
func (s *base) show(w http.ResponseWriter, r *http.Request, status int, m message) {
	own(w)
	nonce := ""
	if m.script != "" {
		nonce = rand.Text()
	}
	page, err := s.cfg.Pages.Site(s.texts(r), pages.Site{
		Title: m.title, Text: m.text, Account: m.account, Failed: m.failed, Actions: m.actions, Script: m.script, Nonce: nonce,
	})
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	policy := "default-src 'none'; base-uri 'none'; style-src " + s.cfg.Pages.StyleSource() + "; img-src " + s.cfg.Pages.ImageSource()
	if nonce != "" {
		policy += "; script-src 'nonce-" + nonce + "'"
	}
	if !m.framed {
		policy += "; frame-ancestors 'none'"
		h.Set("X-Frame-Options", "DENY")
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "same-origin") // with no-referrer a form is posted with the Origin null
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", page.Lang)
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(page.HTML)
}

// texts are the words of the page for who sends a request.
func (s *base) texts(r *http.Request) *pages.Texts {
	return s.cfg.Pages.In("", r.Header.Get("Accept-Language"))
}

// maxReturn is how long the address may be to which somebody comes back, in bytes; the path
// alone of a longer one. The script of the start page keeps long ones in the browser.
const maxReturn = 2 << 10

// asked returns the path and query that the client asked for, as an address to come back to.
func (s *base) asked(r *http.Request) string {
	u := s.cfg.Original(r)
	return returnTo(u.RequestURI())
}

// returnTo makes of a text a path of this origin, with its query: what cannot be one is the
// root. It is only ever sent behind the origin.
func returnTo(text string) string {
	text, _, _ = strings.Cut(text, "#")
	where, query, _ := strings.Cut(text, "?")
	if strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f }) || strings.Contains(where, `\`) || !strings.HasPrefix(text, "/") {
		return "/"
	}
	text = text[:len(text)-len(query)] + strings.ReplaceAll(query, `\`, "%5C")
	text = "/" + strings.TrimLeft(text, "/")
	if len(text) > maxReturn {
		text, _, _ = strings.Cut(text, "?")
	}
	u, err := url.Parse(text)
	if err != nil || len(text) > maxReturn || u.Host != "" || u.Scheme != "" || climbs(u.Path) || Owns(path.Clean(u.Path)) {
		return "/"
	}
	return u.String()
}

// loginStart begins the address of a sign-in, by the rules of a name.
func (s *base) loginStart(rule string) string {
	start := s.cfg.Origin + pathLogin + "?"
	if rule != "" {
		start += "rule=" + rule + "&"
	}
	return start
}

// loginURL is where a sign-in begins that comes back to a path; more are further parameters.
func (s *base) loginURL(to, rule, more string) string {
	return s.loginStart(rule) + "to=" + url.QueryEscape(to) + more
}

// redirect sends the browser on with a GET.
func redirect(w http.ResponseWriter, to string) {
	own(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
