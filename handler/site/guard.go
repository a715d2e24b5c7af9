package site

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/spans"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Guard is one place that a person has to sign in for. Safe for concurrent use.
type Guard struct {
	cfg     Config
	callers callers
	headers identity.Headers
	taken   identity.Names // what only the guard may tell the upstream
	sets    identity.Names // those of them that it tells
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
	g := &Guard{cfg: cfg, callers: cfg.AllowOrigins, headers: headers, rule: ruleName(cfg.Rules)}
	var sets []string
	for _, m := range cfg.Headers {
		sets = append(sets, m.Header)
	}
	if u := cfg.Upstream; u != nil && u.Header != "" {
		sets = append(sets, u.Header)
	}
	g.sets, g.taken = identity.NamesOf(sets...), identity.NamesOf(slices.Concat(WellKnown, sets)...)
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
// somebody is, in all spellings, our cookies, and an app key.
func (g *Guard) TakeOut(r *http.Request) {
	p := g.passage(r)
	p.takers().TakeOut(r, &g.taken)
	p.TakeCookies(r)
	p.takeKey(r.Header)
}

// Passage is what the guards of one request share: what the browser has sent, and whom the
// first of them that asks has let in.
type Passage struct {
	taken   identity.Takers
	cookies []string // the lines of its Cookie header, ours among them
	// authorization are the lines of its Authorization header, where an app key was among them.
	authorization []string
	site          *Site
	held          *held          // for a session, or an app key
	claims        *verify.Claims // for an access token
}

// TakeCookies takes our cookies out of a request. A guard that follows sees them all the same,
// and GiveBack puts them back. p may be nil.
func (p *Passage) TakeCookies(r *http.Request) {
	if p != nil && p.cookies == nil {
		p.cookies = r.Header["Cookie"] // StripCookies makes new lines
	}
	wire.StripCookies(r.Header)
}

// GiveBack puts back what TakeCookies has taken out of a request that goes no further. p may be nil.
func (p *Passage) GiveBack(r *http.Request) {
	if p != nil && p.cookies != nil {
		r.Header["Cookie"] = p.cookies
	}
}

// takers returns what the guards of a request have taken out of it; p may be nil.
func (p *Passage) takers() *identity.Takers {
	if p == nil {
		return nil
	}
	return &p.taken
}

// cookies returns a header with the cookies that the browser has sent: an earlier guard of the
// request may have taken ours out.
func (g *Guard) cookies(r *http.Request) http.Header {
	if p := g.passage(r); p != nil && p.cookies != nil {
		return http.Header{"Cookie": p.cookies}
	}
	return r.Header
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
	r, done := wire.InSpan(r, spans.Guard)
	defer done()
	s := g.site(r.Host)
	if s == nil {
		g.cfg.Sites[0].misdirected(w, r)
		return Result{Answered: true}, nil
	}
	if g.cfg.Public != nil && !climbs(r.URL.Path) && g.cfg.Public(r) {
		g.TakeOut(r)
		return Result{Writer: w}, nil
	}
	if g.callers.cors(w, r) {
		return Result{Answered: true}, nil
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
	own := g.takes(r, s)
	h, session, err := s.sessions.presented(r.Context(), g.cookies(r), own && (!g.cfg.OnlyPeople || byPerson(r)))
	switch {
	case err != nil:
		s.down(w, r, err)
	case session == nil:
		s.refuse(r, oauth.ReasonNoToken, nil)
		g.askToSignIn(w, r, s)
	case !own:
		s.refuse(r, oauth.ReasonBadOrigin, session.Claims)
		s.refuseOrigin(w, r)
	default:
		return g.admit(w, r, s, h, session)
	}
	return Result{Answered: true}, nil
}

// takes reports whether a request that a cookie lets in may come from where it comes.
func (g *Guard) takes(r *http.Request, s *Site) bool {
	return sentByOwnPages(r, s.cfg.Origin) || g.callers.sent(r)
}

// checkAgain lets in whom an earlier guard of this request has let in, by its own rules.
func (g *Guard) checkAgain(w http.ResponseWriter, r *http.Request, s *Site, p *Passage) (Result, error) {
	if p.claims != nil {
		if g.cfg.Bearer == nil {
			return s.refuseProgram(w, r, oauth.ReasonNotAllowed, p.claims, "Access tokens are not taken here.")
		}
		if err := g.cfg.Bearer.Allow(w, r, p.claims); err != nil {
			return Result{}, err
		}
		return g.admitToken(w, r, s, p.claims)
	}
	session, err := s.sessions.current(r.Context(), p.held, false)
	switch {
	case err != nil:
		s.down(w, r, err)
		return Result{Answered: true}, nil
	case !p.held.key && !g.takes(r, s):
		s.refuse(r, oauth.ReasonBadOrigin, session.Claims)
		s.refuseOrigin(w, r)
		return Result{Answered: true}, nil
	case !p.held.key:
		return g.admit(w, r, s, p.held, session)
	case !g.cfg.Keys:
		return s.refuseProgram(w, r, oauth.ReasonNotAllowed, session.Claims, "App keys are not taken here.")
	}
	return g.admitKey(w, r, s, p.held, session)
}

// admit lets somebody with a session in where the guard's rules do.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request, s *Site, h *held, session *sites.Session) (Result, error) {
	switch g.standing(session.Claims, session.Login, s) {
	case standsRefused:
		s.refuse(r, oauth.ReasonNotAllowed, session.Claims)
		s.refusePerson(w, r, session, g.rule)
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

// standing applies the rules of the guard to who came by a login. A sign-in of which it is not
// known when it was is none of the last max_age.
func (g *Guard) standing(c *verify.Claims, login string, s *Site) standing {
	rules := &g.cfg.Rules
	switch {
	case !g.cfg.For.Allows(c.Groups), len(rules.Logins) > 0 && !slices.Contains(rules.Logins, login):
		return standsRefused
	case len(rules.ACRs) > 0 && !slices.Contains(rules.ACRs, c.ACR),
		rules.MaxAge > 0 && (c.AuthTime.IsZero() || s.cfg.Issuer.Now().Sub(c.AuthTime) > rules.MaxAge):
		return standsAnew
	}
	return stands
}

// pass sends a request on, with the identity of who sends it.
func (g *Guard) pass(w http.ResponseWriter, r *http.Request, s *Site, h *held, session *sites.Session) (Result, error) {
	p := g.passage(r)
	if p != nil {
		p.site, p.held = s, h
	}
	if err := g.name(r, p, session.Claims); err != nil {
		return s.refuseProgram(w, r, oauth.ReasonClaim, session.Claims, "This account cannot be named to the application.")
	}
	if u := g.cfg.Upstream; u != nil {
		token, err := h.upstreamToken(r.Context(), u, session, s.cfg.Issuer.Now())
		if err != nil {
			s.down(w, r, err)
			return Result{Answered: true}, nil
		}
		u.put(r, token)
	}
	s.verdict(r, "", session.Claims)
	return Result{
		Claims: session.Claims, Expires: session.Claims.Expiry, Session: true, Writer: g.callers.finishing(w, r, g.cfg.KeepCache), site: s, held: h,
	}, nil
}

// name tells the upstream who sends a request, in the place of what an earlier guard says
// under the same names.
func (g *Guard) name(r *http.Request, p *Passage, c *verify.Claims) error {
	g.TakeOut(r)
	p.takers().Replace(r, &g.taken, &g.sets)
	return g.headers.Set(r.Header, c)
}

// verdict counts what became of a request, "" for a pass, and says so in its trace.
func (s *Site) verdict(r *http.Request, reason oauth.Reason, c *verify.Claims) {
	s.cfg.Observer.Checked(reason)
	client := ""
	if c != nil && !c.Foreign() {
		client = c.ClientID
	}
	wire.NoteVerdict(r, reason, client)
}

// refuse counts a request that is not let in, and tells of one of somebody who is known.
func (s *Site) refuse(r *http.Request, reason oauth.Reason, c *verify.Claims) {
	s.verdict(r, reason, c)
	if c != nil {
		s.cfg.Observer.Happened(r.Context(), oauth.Event{
			Kind: oauth.EventAccessRefused, Outcome: oauth.Outcome(reason), Client: c.ClientID, Subject: c.Subject, User: c.User,
		})
	}
}
