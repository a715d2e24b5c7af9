package site

import (
	"fmt"
	"io"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// askToSignIn answers a request that nobody has signed in for. Nothing is made before the
// person goes: no cookie, no state. A page is for who sees one; everybody else gets 401, and
// never a redirect.
func (g *Guard) askToSignIn(w http.ResponseWriter, r *http.Request, s *Site) {
	t := s.texts(r)
	switch kindOf(r) {
	case navigation:
		if s.hasReturned(g.cookies(r), g.rule) {
			s.show(w, r, http.StatusUnauthorized, message{
				title: t.SiteFailedTitle, text: fmt.Sprintf(t.SiteAgain, s.name()), failed: true, actions: []pages.SiteAction{
					{URL: s.loginURL(s.asked(r), g.rule, "&other=1"), Text: t.SiteTryAgain}, {URL: s.cfg.Origin + pathLogout, Text: t.SiteSignOut},
				},
			})
			return
		}
		if g.cfg.StartRedirect {
			own(w)
			w.Header().Set("Location", s.loginURL(s.asked(r), g.rule, ""))
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		s.show(w, r, http.StatusUnauthorized, message{
			title: fmt.Sprintf(t.SiteStartTitle, s.name()), text: t.SiteStart, script: pages.SiteStart,
			actions: []pages.SiteAction{{URL: s.loginURL(s.asked(r), g.rule, ""), Text: t.SiteSignIn, ID: pages.StartID, Data: s.loginStart(g.rule)}},
		})
	case framed:
		s.show(w, r, http.StatusUnauthorized, message{
			title: fmt.Sprintf(t.SiteStartTitle, s.name()), text: fmt.Sprintf(t.SiteFrame, s.name()), framed: true,
			actions: []pages.SiteAction{{URL: s.cfg.Origin + s.asked(r), Text: t.SiteOpenTab, NewTab: true}},
		})
	case posted:
		swallow(r)
		s.show(w, r, http.StatusUnauthorized, message{
			title: fmt.Sprintf(t.SiteStartTitle, s.name()), text: t.SitePosted, failed: true,
			actions: []pages.SiteAction{{URL: s.loginURL("/", g.rule, "&close=1"), Text: t.SiteSignInTab, NewTab: true}},
		})
	case program, prefetched:
		if r.Method == http.MethodGet && s.cfg.Original(r).Path == "/robots.txt" {
			wire.NoStore(w.Header())
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, "User-agent: *\nDisallow: /\n")
			return
		}
		swallow(r)
		if g.cfg.Keys && !isBrowser(r) {
			w.Header().Add(wire.ChallengeHeader, `Basic realm="`+wire.Quotable(s.name())+`", charset="UTF-8"`)
		}
		s.problemAt(w, r, http.StatusUnauthorized, "Sign in first.", s.loginURL(s.asked(r), g.rule, ""))
	}
}
