package site

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Guard is one place that a person has to sign in for. Safe for concurrent use.
type Guard struct {
	cfg     Config
	headers identity.Headers
	taken   identity.Names // what only the guard may tell the upstream
	rule    string         // the name of its rules
}

// New makes a guard, and makes its rules known to its sites.
func New(cfg Config) (*Guard, error) {
	if len(cfg.Sites) == 0 {
		return nil, errors.New("making guard of a site: Sites are required")
	}
	headers, err := identity.New(cfg.Headers)
	if err != nil {
		return nil, err
	}
	g := &Guard{cfg: cfg, headers: headers, rule: ruleName(cfg.Rules)}
	names := slices.Clone(WellKnown)
	for _, m := range cfg.Headers {
		names = append(names, m.Header)
	}
	if u := cfg.Upstream; u != nil && u.Header != "" {
		names = append(names, u.Header)
	}
	g.taken = identity.NamesOf(names...)
	for _, s := range cfg.Sites {
		s.register(&cfg)
	}
	return g, nil
}

// Serves reports whether a Host is that of one of the guard's sites.
func (g *Guard) Serves(host string) bool { return g.site(host) != nil }

func (g *Guard) site(host string) *Site {
	for _, s := range g.cfg.Sites {
		if s.serves(host) {
			return s
		}
	}
	return nil
}

// TakeOut takes out of a request what only a guard may tell the upstream: headers that say who
// somebody is, in all spellings, and our cookies.
func (g *Guard) TakeOut(r *http.Request) {
	if p := g.passage(r); p != nil && p.taken {
		g.headers.TakeOut(r) // an earlier guard of this request may have set the others
	} else {
		g.taken.TakeOut(r)
		if p != nil {
			p.taken = true
		}
	}
	wire.StripCookies(r.Header)
}

// Passage is what the guards of one request share: what the first of them has found out, and
// taken out.
type Passage struct {
	taken  bool
	site   *Site
	held   *held          // for a session
	claims *verify.Claims // for an access token
}

func (g *Guard) passage(r *http.Request) *Passage {
	if g.cfg.Passage == nil {
		return nil
	}
	return g.cfg.Passage(r)
}

// Check lets a request pass, or answers it. An error is that of Config.Bearer, which has not
// answered. What the request says of its sender is the guard's afterwards: nothing that the
// client could have written.
func (g *Guard) Check(w http.ResponseWriter, r *http.Request) (Result, error) {
	s := g.site(r.Host)
	if s == nil {
		misdirected(w)
		return Result{Answered: true}, nil
	}
	if g.cfg.Public != nil && g.cfg.Public(r) {
		g.TakeOut(r)
		return Result{Writer: w}, nil
	}
	if err := s.cfg.Ready(r.Context()); err != nil {
		s.down(w, r, err)
		return Result{Answered: true}, nil
	}
	if p := g.passage(r); p != nil && p.site == s {
		return g.checkAgain(w, r, s, p)
	}
	if key := g.presentedKey(r); key != "" {
		return g.checkKey(w, r, s, key)
	}
	if g.cfg.Bearer != nil && hasBearer(r) {
		return g.checkBearer(w, r, s)
	}
	return g.checkCookie(w, r, s)
}

// checkCookie lets people in.
func (g *Guard) checkCookie(w http.ResponseWriter, r *http.Request, s *Site) (Result, error) {
	h, session, err := s.sessions.presented(r, !g.cfg.OnlyPeople || kindOf(r) != program || !isSafe(r))
	switch {
	case err != nil:
		s.down(w, r, err)
	case session == nil:
		s.refuse(r, oauth.ReasonNoToken, nil)
		g.askToSignIn(w, r, s)
	case !sentByOwnPages(r, s.cfg.Origin):
		s.refuse(r, oauth.ReasonBadOrigin, session.Claims)
		s.refuseOrigin(w, r)
	default:
		return g.admit(w, r, s, h, session)
	}
	return Result{Answered: true}, nil
}

// checkAgain lets in whom an earlier guard of this request has let in, by its own rules.
func (g *Guard) checkAgain(w http.ResponseWriter, r *http.Request, s *Site, p *Passage) (Result, error) {
	if p.held == nil {
		return g.passClaims(w, r, s, p.claims)
	}
	session, err := s.sessions.current(r.Context(), p.held, false)
	if err == nil {
		return g.admit(w, r, s, p.held, session)
	}
	s.down(w, r, err)
	return Result{Answered: true}, nil
}

// admit lets somebody with a session in where the guard's rules do.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request, s *Site, h *held, session *sites.Session) (Result, error) {
	switch g.standing(session, s) {
	case standsRefused:
		s.refuse(r, oauth.ReasonNotAllowed, session.Claims)
		s.refusePerson(w, r, session)
		return Result{Answered: true}, nil
	case standsAnew:
		s.refuse(r, oauth.ReasonStepUp, session.Claims)
		g.askToSignIn(w, r, s)
		return Result{Answered: true}, nil
	case stands:
	}
	return g.pass(w, r, s, h, session)
}

// standing is what a session is worth at a guard.
type standing uint8

const (
	stands        standing = iota
	standsAnew             // the person has to prove anew who they are
	standsRefused          // they may not come in
)

func (g *Guard) standing(session *sites.Session, s *Site) standing {
	c, rules := session.Claims, &g.cfg.Rules
	switch {
	case !g.cfg.For.Allows(c.Groups), len(rules.Logins) > 0 && !slices.Contains(rules.Logins, session.Login):
		return standsRefused
	case len(rules.ACRs) > 0 && !slices.Contains(rules.ACRs, c.ACR):
		return standsAnew
	case rules.MaxAge > 0:
		since := c.AuthTime
		if since.IsZero() { // their provider does not say; it was asked to have them prove it then
			since = session.Begun
		}
		if s.cfg.Issuer.Now().Sub(since) > rules.MaxAge {
			return standsAnew
		}
	}
	return stands
}

// pass sends a request on, with the identity of who sends it. Where it was let in by its
// Authorization header, that goes no further.
func (g *Guard) pass(w http.ResponseWriter, r *http.Request, s *Site, h *held, session *sites.Session) (Result, error) {
	g.TakeOut(r)
	if p := g.passage(r); p != nil {
		p.site, p.held = s, h
	}
	if h.key {
		delete(r.Header, "Authorization")
	}
	if err := g.headers.Set(r.Header, session.Claims); err != nil {
		s.refuse(r, oauth.ReasonClaim, session.Claims)
		s.problem(w, r, http.StatusForbidden, "This account cannot be named to the application.")
		return Result{Answered: true}, nil //nolint:nilerr // it is answered
	}
	if u := g.cfg.Upstream; u != nil {
		token, err := h.upstreamToken(r.Context(), u, session, s.cfg.Issuer.Now())
		if err != nil {
			s.down(w, r, err)
			return Result{Answered: true}, nil
		}
		u.put(r.Header, token)
	}
	s.cfg.Observer.Checked("")
	return Result{Claims: session.Claims, Expires: session.Claims.Expiry, Session: true, Writer: g.private(w)}, nil
}

// private makes answers to somebody in particular nothing for a shared cache.
func (g *Guard) private(w http.ResponseWriter) http.ResponseWriter {
	if g.cfg.KeepCache {
		return w
	}
	return &wire.FinishingWriter[privately]{ResponseWriter: w}
}

// privately finishes the header of an answer to somebody in particular. It has no `Vary:
// Cookie`: the browser's own cache would be lost with each cookie of the application.
type privately struct{}

// Finish completes the header.
func (privately) Finish(h http.Header) { wire.KeepPrivate(h) }

// checkBearer lets programs in by access token.
func (g *Guard) checkBearer(w http.ResponseWriter, r *http.Request, s *Site) (Result, error) {
	claims, err := g.cfg.Bearer.Authenticate(w, r)
	if err != nil {
		return Result{}, err
	}
	return g.passClaims(w, r, s, claims)
}

// hasBearer reports whether a request carries an access token in its Authorization header.
func hasBearer(r *http.Request) bool {
	for _, line := range r.Header["Authorization"] {
		if ours, _, _ := wire.Scheme(line); ours {
			return true
		}
	}
	return false
}

func (g *Guard) passClaims(w http.ResponseWriter, r *http.Request, s *Site, c *verify.Claims) (Result, error) {
	g.TakeOut(r)
	if p := g.passage(r); p != nil {
		p.site, p.claims = s, c
	}
	if err := g.headers.Set(r.Header, c); err != nil {
		return Result{}, err
	}
	return Result{Claims: c, Expires: c.Expiry, Writer: g.private(w)}, nil
}

// refuse counts a request that is not let in, and tells of one of somebody who is known.
func (s *Site) refuse(r *http.Request, reason oauth.Reason, c *verify.Claims) {
	s.cfg.Observer.Checked(reason)
	if c != nil {
		s.cfg.Observer.Happened(r.Context(), oauth.Event{
			Kind: oauth.EventAccessRefused, Outcome: oauth.Outcome(reason), Client: c.ClientID, Subject: c.Subject, User: c.User,
		})
	}
}
