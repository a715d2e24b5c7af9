package handler

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/once"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// callbackURL is what is registered at the provider.
func (s *Server) callbackURL(name string) string { return s.urlOf("callback") + "/" + name }

// leaving is what is known of a browser that leaves for a provider.
type leaving struct {
	seen    bool // a page of ours has named the client to the person
	another bool // they want another account than the provider would take by itself
	again   int  // how often it was begun again
}

// leave sends the browser to a provider.
func (s *Server) leave(w http.ResponseWriter, r *http.Request, req loginRequest, l login.Elsewhere, how leaving) error {
	f := &flow{
		Login: l.Name(), Auth: req.auth, Page: req.page, Seen: how.seen, Again: how.again,
		Departure: login.Departure{
			RedirectURI: s.callbackURL(l.Name()), State: random32(), Nonce: random32(), Verifier: random32(),
			At: s.Clock(), Asked: asked(req, l.Name()),
		},
	}
	if how.another || wire.Cookie(r, s.cookies.out) != "" {
		f.Departure.Asked.SelectAccount = true
	}
	to, err := "", error(nil)
	if !how.seen { // who has not seen a page of ours would have no way on but the browser's own error
		err = l.Away()
	}
	if err == nil {
		to, err = l.Begin(f.Departure)
	}
	if err != nil {
		return s.failProvider(w, r, f, l, err)
	}
	s.browser(w, r)
	switch err := s.keepFlow(w, r, f); {
	case errors.Is(err, errFlowLong) && req.auth != nil:
		return s.answerError(w, r, req.auth, &oauth.Error{Code: oauth.InvalidRequest, Description: "The request is too long for a sign-in at a provider: send a shorter state or nonce."})
	case err != nil:
		return err
	}
	s.redirect(w, to)
	return nil
}

// asked translates what a request asks of the person for a provider.
func asked(req loginRequest, name string) (a login.Asked) {
	if req.auth == nil {
		return a
	}
	a.Again = slices.Contains(req.auth.Prompt, tokens.PromptLogin)
	a.SelectAccount = slices.Contains(req.auth.Prompt, tokens.PromptSelectAccount)
	if req.auth.MaxAge >= 0 {
		a.HasMaxAge, a.MaxAge = true, int(req.auth.MaxAge)
	}
	a.ACRs = req.auth.ACRs
	a.LoginHint, a.UILocales = req.auth.LoginHint, req.auth.UILocales
	if of, id, ok := strings.Cut(req.auth.HintSubject, "|"); ok && of == name {
		a.ID = id
	}
	return a
}

// random32 returns 256 random bits as 43 characters.
func random32() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// callback takes a browser that comes back from a provider.
func (s *Server) callback(w http.ResponseWriter, r *http.Request) error {
	q, err := authorizeParams(r)
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(cleanPath(r.URL.Path), s.pathOf("callback")+"/")
	if s.withoutCookies(r) {
		return s.postOn(w, r, s.callbackURL(name), q)
	}
	if len(q["state"]) != 1 {
		return s.strayCallback(w, r, name)
	}
	f := s.flowOf(r, q.Get("state"))
	if f == nil || f.Login != name {
		return s.strayCallback(w, r, name)
	}
	req := f.request()
	if err := s.stillValid(r.Context(), f.Auth); err != nil {
		return err
	}
	l, ok := s.provider(req, name)
	switch {
	case !ok:
		return s.showLogin(w, r, req, loginProblem{text: s.textsFor(r, req).SignInAgain, status: http.StatusForbidden})
	case f.Done:
		return s.goOn(w, r, f, l)
	case f.expired(s.Clock()):
		return s.beginAgain(w, r, f, l, s.textsFor(r, req).TookTooLong)
	}
	return s.arrive(w, r, f, l, q)
}

// finishTime is how long a provider may take for all that it is asked, and others before
// for their turn.
const finishTime = time.Minute

// arrive redeems what the provider sent, once, and signs the person in.
func (s *Server) arrive(w http.ResponseWriter, r *http.Request, f *flow, l login.Elsewhere, answer url.Values) error {
	if wait := s.Limits.returns.Wait(s.ClientIP(r), s.Clock()); wait > 0 {
		return s.failProvider(w, r, f, l, &login.FailedError{Failure: login.FailedBusy, Reason: tooManyFailures, After: wait})
	}
	came, err := s.Limits.arrived.Do(r.Context(), f.id(), s.Clock, func() (arrival, error) {
		// A second click hangs up on the first one, which goes on all the same.
		ctx, done := context.WithTimeout(context.WithoutCancel(r.Context()), finishTime)
		defer done()
		who, err := l.Finish(ctx, f.Departure, answer)
		if err != nil {
			return arrival{err: err}, nil
		}
		if wait := s.Limits.returns.Person(l.Name()+"|"+who.ID, s.Clock()); wait > 0 {
			return arrival{err: &login.FailedError{Failure: login.FailedBusy, Reason: tooManySignIns, ID: who.ID, After: wait}}, nil
		}
		in := comesIn(l, who)
		if id := f.Departure.Asked.ID; id != "" {
			in.Only = l.Name() + "|" + id
		}
		signedIn, cookie, err := s.Issuer.SignInProvided(ctx, in, s.session(r))
		if errors.Is(err, tokens.ErrAnotherPerson) {
			err = &login.FailedError{Failure: login.FailedNotMet, Reason: reasonAnother, ID: who.ID, Cause: err}
		}
		return arrival{login: signedIn, cookie: cookie, err: err}, nil
	})
	if errors.Is(err, once.ErrUsed) {
		return s.goOn(w, r, f, l)
	}
	if err == nil {
		err = came.err
	}
	if forged(err) {
		s.Limits.returns.Failed(s.ClientIP(r), s.Clock())
	}
	if err != nil {
		return s.failProvider(w, r, f, l, err)
	}
	s.setSession(w, came.cookie, came.login.Session.Expires)
	s.rememberLogin(w, r, l.Name())
	f.Done = true
	f.Departure.Verifier, f.Departure.Nonce = "", ""
	if err := s.keepFlow(w, r, f); err != nil {
		return err
	}
	return s.signedIn(w, r, f.request(), progress{login: came.login, fresh: true, unseen: !f.Seen})
}

// reasonAnother is why somebody does not come in who is not the one that was asked for (F72).
const reasonAnother = "another_account"

// comesIn is the sign-in of somebody whom a provider has sent.
func comesIn(l login.Elsewhere, who *login.Arrival) tokens.Provided {
	subject := l.Name() + "|" + who.ID
	return tokens.Provided{
		Profile: tokens.Profile{
			Subject: subject, Login: l.Name(), ACR: who.ACR, AMR: who.AMR, Claims: who.Claims,
			Fingerprint: l.Fingerprint(storage.TagSubject(subject)),
		},
		AuthTime: who.AuthTime,
		Groups:   who.Groups,
		Session:  who.ProviderSession,
		ID:       who.ProviderSubject,
		Given:    given(l, who),
		Lifetime: l.Schedule().SessionLifetime,
	}
}

// given is what is kept to ask the provider with again, nil where nobody will.
func given(l login.Elsewhere, who *login.Arrival) *tokens.Given {
	g := tokens.Given{IDToken: who.IDToken}
	if g.IDToken != "" {
		g.Login = l.Name()
	}
	if l.Schedule().Recheck > 0 {
		g.RefreshToken = who.RefreshToken
	}
	if g == (tokens.Given{}) {
		return nil
	}
	return &g
}

// forged reports whether a failure is one that anybody can bring about by an answer that
// they have made up. What the provider itself has done wrong is held against nobody:
// a whole office may come from one address.
func forged(err error) bool {
	failed, ok := errors.AsType[*login.FailedError](err)
	if !ok {
		return false
	}
	switch failed.Reason { // of package upstream
	case "state", "issuer", "no_code", "code":
		return true
	}
	return false
}

// goOn takes a browser that comes back once more to where it went the first time.
func (s *Server) goOn(w http.ResponseWriter, r *http.Request, f *flow, l login.Elsewhere) error {
	current, err := s.Issuer.CurrentLogin(r.Context(), s.session(r))
	if err != nil {
		return err
	}
	switch {
	case current == nil:
		return s.beginAgain(w, r, f, l, s.textsFor(r, f.request()).SignInAgain)
	case f.Page != nil:
		s.redirect(w, f.Page.Path)
		return nil
	}
	return s.proceed(w, r, f.Auth, progress{login: current})
}

// beginAgain sends the browser to the provider once more, as far as that has not
// been tried, and else shows the login page with a problem.
func (s *Server) beginAgain(w http.ResponseWriter, r *http.Request, f *flow, l login.Elsewhere, problem string) error {
	if f.Again < maxAgain {
		return s.leave(w, r, f.request(), l, leaving{seen: f.Seen, another: f.Departure.Asked.SelectAccount, again: f.Again + 1})
	}
	return s.showLogin(w, r, f.request(), loginProblem{text: problem, status: http.StatusForbidden})
}
