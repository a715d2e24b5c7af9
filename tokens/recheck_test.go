package tokens_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// idp is a provider whose refresh tokens are good once, with reuse detection: it counts
// those that come again.
type idp struct {
	came    chan struct{} // closed when the first question is held; nil for no such sign
	every   time.Duration // 0 is an hour
	mu      sync.Mutex
	next    int
	reused  int
	asked   int
	askedID string                            // Given.ID
	answers func(tokens.Answer) tokens.Answer // nil for as it comes
	hold    chan struct{}                     // nil for at once
}

const every, grace = time.Hour, 24 * time.Hour

func (p *idp) Schedule(login string) (time.Duration, time.Duration) {
	if login != "company" {
		return 0, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return cmp.Or(p.every, every), grace
}

func (p *idp) Ask(ctx context.Context, _, subject string, given tokens.Given) tokens.Answer {
	p.mu.Lock()
	hold := p.hold
	p.mu.Unlock()
	if hold != nil {
		if p.came != nil {
			close(p.came)
		}
		select {
		case <-hold:
		case <-ctx.Done():
			return tokens.Answer{Cause: ctx.Err()}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.askedID = p.asked+1, given.ID
	if p.answers != nil {
		return p.answers(tokens.Answer{})
	}
	if given.RefreshToken != strconv.Itoa(p.next) {
		p.reused++
		return tokens.Answer{Kind: tokens.AnswerGone}
	}
	p.next++
	return tokens.Answer{
		Kind:   tokens.AnswerKept,
		Claims: map[string]any{"name": fmt.Sprint("Carol ", p.next)},
		Given:  &tokens.Given{RefreshToken: strconv.Itoa(p.next)},
	}
}

func (p *idp) say(answers func(tokens.Answer) tokens.Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = answers
}

func (p *idp) count() (asked, reused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, p.reused
}

func saying(kind tokens.AnswerKind) func(tokens.Answer) tokens.Answer {
	return func(tokens.Answer) tokens.Answer {
		return tokens.Answer{Kind: kind, Cause: errors.New("as the test says")}
	}
}

// carol comes by the provider.
var carol = tokens.Profile{Subject: "company|c-1", Login: "company", Fingerprint: company, Claims: map[string]any{"name": "Carol 0"}}

func withIDP(p *idp) func(*tokens.Config) {
	return func(c *tokens.Config) { c.Providers = p }
}

// provided signs carol in by the provider, as often as it has given something.
func (g *gateway) provided(p *idp) (*tokens.Login, string) {
	g.t.Helper()
	p.mu.Lock()
	token := strconv.Itoa(p.next)
	p.mu.Unlock()
	l, cookie, err := g.SignInProvided(g.t.Context(), tokens.Provided{Profile: carol, Given: &tokens.Given{RefreshToken: token}}, "")
	if err != nil {
		g.t.Fatal(err)
	}
	return l, cookie
}

// happens waits for an event of the background.
func (g *gateway) happens(outcome oauth.Outcome, times int) {
	g.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		news := g.events.changed()
		if g.events.count(oauth.EventRecheck, outcome) >= times {
			return
		}
		select {
		case <-news:
		case <-limit:
			g.t.Fatalf("the recheck is not %s", outcome)
		}
	}
}

// nameIn is the name in an ID token of a refresh.
func (g *gateway) nameIn(res *tokens.TokenResponse) any {
	g.t.Helper()
	_, claims := parts(g.t, res.IDToken)
	return claims["name"]
}

// H2, F45: a refresh that finds the check overdue is answered at once, asks in the
// background, and what the provider says counts from the next refresh on.
func TestH2RecheckInBackground(t *testing.T) {
	p := &idp{hold: make(chan struct{})}
	g := newGateway(t, withIDP(p))
	l, _ := g.provided(p)
	res := g.exchanged(g.codeFor(l))
	res = g.refreshOK(res.RefreshToken)
	if asked, _ := p.count(); asked != 0 || g.nameIn(res) != "Carol 0" {
		t.Fatalf("asked %d times before it is due, name %v", asked, g.nameIn(res))
	}
	g.pass(every)
	for range 20 { // the provider hangs, and holds up nobody
		g.pass(time.Second)
		res = g.refreshOK(res.RefreshToken)
	}
	close(p.hold)
	g.happens(oauth.OutcomeKept, 1)
	if res = g.refreshOK(res.RefreshToken); g.nameIn(res) != "Carol 1" {
		t.Errorf("name %v after the check", g.nameIn(res))
	}
	if asked, reused := p.count(); asked != 1 || reused != 0 {
		t.Errorf("asked %d times, %d with a spent token", asked, reused)
	}
	g.pass(every)
	g.refreshOK(res.RefreshToken)
	g.happens(oauth.OutcomeKept, 2)
}

// C3: which answers end what.
func TestC3Answers(t *testing.T) {
	for name, tc := range map[string]struct {
		kind         tokens.AnswerKind
		outcome      oauth.Outcome
		this, others bool // go on
	}{
		"gone ends that login":           {tokens.AnswerGone, oauth.OutcomeGone, false, true},
		"not allowed ends all":           {tokens.AnswerNotAllowed, oauth.OutcomeNotAllowed, false, false},
		"unclear ends nothing":           {tokens.AnswerUnclear, oauth.OutcomeUnclear, true, true},
		"F37: a thin answer, no changes": {tokens.AnswerThin, oauth.OutcomeThin, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := &idp{}
			g := newGateway(t, withIDP(p))
			phone, _ := g.provided(p)
			onPhone := g.exchanged(g.codeFor(phone))
			l, cookie := g.provided(p)
			res := g.exchanged(g.codeFor(l))
			p.say(saying(tc.kind))
			g.pass(every)
			res = g.refreshOK(res.RefreshToken)
			g.happens(tc.outcome, 1)
			_, err := g.token("spa", refreshRequest(res.RefreshToken))
			if (err == nil) != tc.this {
				t.Errorf("this login goes on: %v", err)
			}
			if _, err := g.CheckAccess(t.Context(), res.AccessToken); (err == nil) != tc.this {
				t.Errorf("its access token: %v", err)
			}
			p.say(nil)
			if current, err := g.CurrentLogin(t.Context(), cookie); err != nil || (current != nil) != tc.this {
				t.Errorf("its session: %v %v", current, err)
			}
			if _, err := g.token("spa", refreshRequest(onPhone.RefreshToken)); (err == nil) != tc.others {
				t.Errorf("the login on the phone goes on: %v", err)
			}
		})
	}
}

// What cannot be checked serves for the grace. Then the application is told to come again,
// for as long as it takes, and nothing is lost.
func TestRecheckGrace(t *testing.T) {
	p := &idp{answers: saying(tokens.AnswerLost)}
	g := newGateway(t, withIDP(p))
	l, _ := g.provided(p)
	res := g.exchanged(g.codeFor(l))
	for range 23 {
		g.pass(time.Hour)
		res = g.refreshOK(res.RefreshToken)
	}
	g.pass(3 * time.Hour)
	for range 3 {
		_, err := g.token("spa", refreshRequest(res.RefreshToken))
		refused(t, err, oauth.TemporarilyUnavailable, oauth.ReasonProviderOverdue)
		g.pass(time.Hour) // beyond every leeway
	}
	p.say(nil)
	if res = g.refreshOK(res.RefreshToken); g.nameIn(res) != "Carol 1" || g.events.count(oauth.EventRefreshReuse, "") != 0 {
		t.Errorf("once the provider is back: %v", g.nameIn(res))
	}
}

// A quiet weekend ends nothing: the provider is asked before anything is refused.
func TestRecheckAfterAWeekend(t *testing.T) {
	p := &idp{}
	g := newGateway(t, withIDP(p))
	l, _ := g.provided(p)
	res := g.exchanged(g.codeFor(l))
	g.pass(72 * time.Hour)
	if res = g.refreshOK(res.RefreshToken); g.nameIn(res) != "Carol 1" {
		t.Errorf("the facts are those of %v", g.nameIn(res))
	}
	p.say(saying(tokens.AnswerGone))
	g.pass(72 * time.Hour)
	_, err := g.token("spa", refreshRequest(res.RefreshToken))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonRevoked)
}

// Who came before `recheck` was there is not asked about, and who came without a refresh token
// of the provider's has the grace.
func TestRecheckNobodyToAsk(t *testing.T) {
	g := newGateway(t)
	l, cookie := g.provided(&idp{})
	before := g.exchanged(g.codeFor(l))
	g.cfg.Providers = &idp{}
	g.reload()
	g.pass(72 * time.Hour)
	g.refreshOK(before.RefreshToken)
	if same, err := g.Revouched(t.Context(), l, cookie); same != l || err != nil {
		t.Errorf("the session of before: %v %v", same, err)
	}
	l, cookie, err := g.SignInProvided(t.Context(), tokens.Provided{Profile: carol}, "")
	if err != nil {
		t.Fatal(err)
	}
	res := g.exchanged(g.codeFor(l))
	g.pass(20 * time.Hour)
	res = g.refreshOK(res.RefreshToken)
	if again, err := g.Revouched(t.Context(), l, cookie); again != nil || err != nil {
		t.Errorf("a session that nobody vouches for: %v %v", again, err)
	}
	g.pass(6 * time.Hour)
	_, err = g.token("spa", refreshRequest(res.RefreshToken))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonProviderOverdue)
}

// C2, F43: the provider has rotated, and its answer was lost: that the old token is spent
// then says nothing of the person.
func TestC2LostAnswer(t *testing.T) {
	p := &idp{}
	g := newGateway(t, withIDP(p))
	l, _ := g.provided(p)
	res := g.exchanged(g.codeFor(l))
	p.say(func(tokens.Answer) tokens.Answer {
		p.next++ // it has given another one
		return tokens.Answer{Kind: tokens.AnswerLost}
	})
	g.pass(every)
	res = g.refreshOK(res.RefreshToken)
	g.happens(oauth.OutcomeUnclear, 1)
	p.say(nil)
	g.pass(every)
	res = g.refreshOK(res.RefreshToken)
	g.happens(oauth.OutcomeDoubtful, 1)
	g.refreshOK(res.RefreshToken)
}

// C9: an answer to a question of before does not end a sign-in of after.
func TestC9LateAnswer(t *testing.T) {
	p := &idp{hold: make(chan struct{}), came: make(chan struct{})}
	g := newGateway(t, withIDP(p))
	l, cookie := g.provided(p)
	res := g.exchanged(g.codeFor(l))
	p.say(saying(tokens.AnswerNotAllowed))
	g.pass(every)
	g.refreshOK(res.RefreshToken)
	<-p.came
	g.pass(2 * time.Second)
	again, _, err := g.SignInProvided(t.Context(), tokens.Provided{Profile: carol, Given: &tokens.Given{RefreshToken: "new"}}, cookie)
	if err != nil {
		t.Fatal(err)
	}
	now := g.exchanged(g.codeFor(again))
	close(p.hold)
	g.happens(oauth.OutcomeLost, 1)
	g.refreshOK(now.RefreshToken)
}

// The same for an application that waits for the answer, the grace being over: it is about a
// login that was replaced meanwhile, and takes nothing from the person who came again.
func TestC9LateAnswerAwaited(t *testing.T) {
	p := &idp{hold: make(chan struct{}), came: make(chan struct{})}
	g := newGateway(t, withIDP(p))
	l, cookie := g.provided(p)
	res := g.exchanged(g.codeFor(l))
	p.say(saying(tokens.AnswerNotAllowed))
	g.pass(72 * time.Hour)
	done := make(chan error, 1)
	go func() {
		_, err := g.token("spa", refreshRequest(res.RefreshToken))
		done <- err
	}()
	<-p.came
	g.pass(2 * time.Second)
	if _, _, err := g.SignInProvided(t.Context(), tokens.Provided{Profile: carol, Given: &tokens.Given{RefreshToken: "new"}}, cookie); err != nil {
		t.Fatal(err)
	}
	close(p.hold)
	if err := <-done; err != nil {
		t.Errorf("the refresh that waited: %v", err)
	}
}

// F37: a thin answer keeps a session for the grace, in each tab, and no longer.
func TestF37Thin(t *testing.T) {
	p := &idp{answers: saying(tokens.AnswerThin)}
	g := newGateway(t, withIDP(p))
	l, cookie := g.provided(p)
	g.pass(every)
	for range 3 {
		if again, err := g.Revouched(t.Context(), l, cookie); again == nil || err != nil {
			t.Fatalf("within the grace: %v %v", again, err)
		}
		g.pass(time.Minute)
	}
	g.pass(grace - 2*every)
	late := g.exchanged(g.codeFor(l)) // what begins late is no younger than the facts
	g.pass(2 * every)
	if again, err := g.Revouched(t.Context(), l, cookie); again != nil || err != nil {
		t.Errorf("after the grace: %v %v", again, err)
	}
	_, err := g.token("spa", refreshRequest(late.RefreshToken))
	refused(t, err, oauth.TemporarilyUnavailable, oauth.ReasonProviderOverdue)
}

// A device goes on as its person does: their provider is asked under the login that let it in.
func TestRecheckOfDevices(t *testing.T) {
	p := &idp{}
	g := newGateway(t, withIDP(p), withTV)
	l, _ := g.provided(p)
	d := g.device()
	g.approve(d, l)
	res, err := g.poll(d)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		g.pass(every)
		res = g.mustToken("tv", refreshRequest(res.RefreshToken))
		g.happens(oauth.OutcomeKept, n+1)
	}
	if asked, reused := p.count(); asked != 30 || reused != 0 {
		t.Errorf("asked %d times, %d with a spent token", asked, reused)
	}
	p.say(saying(tokens.AnswerGone))
	g.pass(every)
	res = g.mustToken("tv", refreshRequest(res.RefreshToken))
	g.happens(oauth.OutcomeGone, 1)
	_, err = g.token("tv", refreshRequest(res.RefreshToken))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonUnknown)
}

// What a provider gives may be too long to be kept: the sign-in is good all the same.
func TestLongGiven(t *testing.T) {
	p := &idp{}
	g := newGateway(t, withIDP(p))
	for name, given := range map[string]tokens.Given{
		"the ID token":      {RefreshToken: "0", IDToken: strings.Repeat("i", 5000)},
		"the refresh token": {RefreshToken: strings.Repeat("r", 5000), IDToken: "i"},
	} {
		l, _, err := g.SignInProvided(t.Context(), tokens.Provided{Profile: carol, Given: &given}, "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		res := g.exchanged(g.codeFor(l))
		g.pass(every)
		g.refreshOK(res.RefreshToken)
	}
	g.happens(oauth.OutcomeKept, 1) // with the refresh token alone
}

// C4: what a provider says of the sign-in is in the tokens, and only there: auth_time of
// yesterday escapes no sign-out and is refused by none. amr is in the ID token of the
// code alone.
func TestC4TwoTimes(t *testing.T) {
	g := newGateway(t)
	yesterday := g.clock().Add(-24 * time.Hour)
	in := tokens.Provided{Profile: carol, AuthTime: yesterday}
	in.Profile.AMR, in.Profile.ACR = []string{"pwd", "otp"}, "silver"
	l, _, err := g.SignInProvided(t.Context(), in, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.SignOutEverywhere(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	g.pass(2 * time.Second)
	if l, _, err = g.SignInProvided(t.Context(), in, ""); err != nil {
		t.Fatal(err)
	}
	res := g.exchanged(g.codeFor(l))
	_, claims := parts(t, res.IDToken)
	if claims["auth_time"] != float64(yesterday.Unix()) || claims["acr"] != "silver" || fmt.Sprint(claims["amr"]) != "[pwd otp]" {
		t.Errorf("ID token of the code %v", claims)
	}
	res = g.refreshOK(res.RefreshToken)
	_, claims = parts(t, res.IDToken)
	if claims["auth_time"] != float64(yesterday.Unix()) || claims["amr"] != nil {
		t.Errorf("ID token of a refresh %v", claims)
	}
	in.AuthTime = g.clock().Add(time.Hour)
	if l, _, err = g.SignInProvided(t.Context(), in, ""); err != nil || l.Session.AuthTime.After(l.Session.Begun) {
		t.Errorf("a provider ahead of time: %v %v", l, err)
	}
	in.AuthTime = time.Time{}
	if l, _, err = g.SignInProvided(t.Context(), in, ""); err != nil {
		t.Fatal(err)
	}
	if _, claims = parts(t, g.exchanged(g.codeFor(l)).IDToken); claims["auth_time"] != nil {
		t.Errorf("F70: a provider that does not say when: %v", claims)
	}
}

// M7: a client that takes the people of one login refreshes for them alone.
func TestM7RefreshByLogin(t *testing.T) {
	g := newGateway(t)
	l, _ := g.provided(&idp{})
	hers, his := g.exchanged(g.codeFor(l)), g.login()
	for _, c := range g.cfg.Clients {
		if c.ID == "spa" {
			c.Logins = []string{"company"}
		}
	}
	g.reload()
	g.refreshOK(hers.RefreshToken)
	_, err := g.token("spa", refreshRequest(his.RefreshToken))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonUserChanged)
}

// C9: a code is issued only from a session for which the provider has vouched in time.
func TestC9Revouched(t *testing.T) {
	for name, tc := range map[string]struct {
		kind tokens.AnswerKind
		want bool
	}{
		"kept": {tokens.AnswerKept, true}, "thin": {tokens.AnswerThin, true}, "gone": {tokens.AnswerGone, false},
		"not allowed": {tokens.AnswerNotAllowed, false}, "unclear": {tokens.AnswerUnclear, false}, "lost": {tokens.AnswerLost, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := &idp{}
			g := newGateway(t, withIDP(p))
			l, cookie := g.provided(p)
			if same, err := g.Revouched(t.Context(), l, cookie); same != l || err != nil {
				t.Fatalf("before it is due: %v %v", same, err)
			}
			if tc.kind != tokens.AnswerKept {
				p.say(saying(tc.kind))
			}
			g.pass(every)
			after, err := g.Revouched(t.Context(), l, cookie)
			if unclear := tc.kind == tokens.AnswerUnclear || tc.kind == tokens.AnswerLost; errors.Is(err, tokens.ErrUnvouched) != unclear || (after != nil) != tc.want {
				t.Fatalf("when it is due: %v %v", after, err)
			}
			if tc.kind == tokens.AnswerKept && after.Profile.Claims["name"] != "Carol 1" {
				t.Errorf("claims %v", after.Profile.Claims)
			}
		})
	}
	// Tabs at once wait for one question.
	p := &idp{hold: make(chan struct{})}
	g := newGateway(t, withIDP(p))
	l, cookie := g.provided(p)
	g.pass(every)
	var tabs sync.WaitGroup
	for range 20 {
		tabs.Go(func() {
			if after, err := g.Revouched(t.Context(), l, cookie); err != nil || after == nil {
				t.Errorf("a tab: %v %v", after, err)
			}
		})
	}
	close(p.hold)
	tabs.Wait()
	if asked, reused := p.count(); asked != 1 || reused != 0 {
		t.Errorf("asked %d times, %d with a spent token", asked, reused)
	}
}

// C2, F43: two nodes, and a provider whose tokens are good once: it is asked by one of
// them at a time. A node that died between the provider's rotation and its own
// write costs a new sign-in at most, and ends nothing.
func TestC2TwoNodes(t *testing.T) {
	server := redistest.Start(t)
	p := &idp{every: time.Millisecond}
	options := onServer(server, t)
	a, b := newNode(t, options, neverLag, withIDP(p)), newNode(t, options, neverLag, withIDP(p))
	l, _ := a.provided(p)
	res := [2]*tokens.TokenResponse{a.exchanged(a.codeFor(l)), a.exchanged(a.codeFor(l))}
	for range 50 {
		var both sync.WaitGroup
		for i, n := range []*node{a, b} {
			both.Go(func() {
				next, err := n.token("spa", refreshRequest(res[i].RefreshToken))
				if err != nil {
					t.Error(err)
					return
				}
				res[i] = next
			})
		}
		both.Wait()
	}
	a.happens(oauth.OutcomeKept, 1)
	if asked, reused := p.count(); asked < 2 || reused != 0 {
		t.Errorf("asked %d times, %d with a spent token", asked, reused)
	}
}

// Somebody who has come by the provider twice, in two browsers, is asked about all the same.
func TestRecheckSecondLogin(t *testing.T) {
	p := new(idp)
	g := newGateway(t, withIDP(p))
	g.provided(p)
	g.pass(time.Minute)
	l, _ := g.provided(p)
	res := g.exchanged(g.codeFor(l))
	g.pass(every)
	g.refreshOK(res.RefreshToken)
	g.happens(oauth.OutcomeKept, 1)
}
