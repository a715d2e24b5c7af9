package tokens_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// carolNow is what the provider calls carol since its subjects have changed.
const carolNow = "company|c-2"

// providedAs signs somebody in by the provider, with another subject than carol's.
func (g *gateway) providedAs(subject string) (*tokens.Login, string) {
	g.t.Helper()
	p := carol
	p.Subject = subject
	l, cookie, err := g.SignInProvided(g.t.Context(), tokens.Provided{Profile: p, Given: &tokens.Given{RefreshToken: "0"}}, "")
	if err != nil {
		g.t.Fatal(err)
	}
	return l, cookie
}

func (g *gateway) move(m admin.Move) admin.Moved {
	g.t.Helper()
	done, err := g.Move(g.t.Context(), m)
	if err != nil {
		g.t.Fatal(err)
	}
	return done
}

// TestF50Moved: whom the provider calls otherwise is who they were, for every
// application and over refreshes, and is asked about by the new name.
func TestF50Moved(t *testing.T) {
	p := &idp{}
	g := newGateway(t, withIDP(p))
	l, _ := g.provided(p)
	before := g.exchanged(g.codeFor(l))
	if done := g.move(admin.Move{Old: carol.Subject, New: carolNow, DryRun: true}); done != (admin.Moved{}) {
		t.Errorf("a dry run: %+v", done)
	}
	if l, _ := g.providedAs("company|c-3"); l.Profile.Subject != "company|c-3" {
		t.Errorf("somebody else is %s", l.Profile.Subject)
	}
	g.move(admin.Move{Old: carol.Subject, New: carolNow})
	if done := g.move(admin.Move{Old: carol.Subject, New: carolNow}); !done.Already {
		t.Error("the same again is new")
	}
	now, cookie := g.providedAs(carolNow)
	if now.Profile.Subject != carol.Subject || now.Session.User != storage.TagSubject(carol.Subject) || now.Session.EndedOthers || !g.signedIn(cookie) {
		t.Fatalf("signed in as %+v", now)
	}
	g.refreshOK(before.RefreshToken)
	res := g.exchanged(g.codeFor(now))
	for n := range 3 {
		res = g.refreshOK(res.RefreshToken)
		_, claims := parts(t, res.IDToken)
		if access, err := g.CheckAccess(t.Context(), res.AccessToken); err != nil || access.Subject != carol.Subject || claims["sub"] != carol.Subject {
			t.Errorf("%v, access token of %v, ID token of %v", err, access.Subject, claims["sub"])
		}
		// The recheck asks about the new name, and again after it was given other tokens.
		g.pass(every)
		res = g.refreshOK(res.RefreshToken)
		g.happens(oauth.OutcomeKept, n+1)
		p.mu.Lock()
		if p.askedID != "c-2" || p.asked != n+1 || p.reused != 0 {
			t.Errorf("asked about %q, %d times, %d with a spent token", p.askedID, p.asked, p.reused)
		}
		p.mu.Unlock()
	}
	if u, err := g.User(t.Context(), storage.TagSubject(carol.Subject), ""); err != nil || len(u.MovedFrom) != 1 || u.MovedFrom[0] != carolNow || u.MovedTo != "" {
		t.Errorf("%v, carol: %+v", err, u)
	}
	if u, err := g.User(t.Context(), storage.TagSubject(carolNow), ""); err != nil || u.MovedTo != carol.Subject || u.Known || len(u.Sessions)+len(u.Families) != 0 {
		t.Errorf("%v, the new name: %+v", err, u)
	}

	// Taken back: the new name is somebody else, and what was begun goes on.
	if old, err := g.UndoMove(t.Context(), carolNow, true); err != nil || old != carol.Subject {
		t.Errorf("a dry run: %s, %v", old, err)
	}
	if old, err := g.UndoMove(t.Context(), carolNow, false); err != nil || old != carol.Subject {
		t.Errorf("%s, %v", old, err)
	}
	if l, _ := g.providedAs(carolNow); l.Profile.Subject != carolNow {
		t.Errorf("signed in as %s", l.Profile.Subject)
	}
	g.refreshOK(res.RefreshToken)
}

// F72: who was asked for is known by the subject that they have here.
func TestF72OnlyThem(t *testing.T) {
	g := newGateway(t)
	g.provided(&idp{})
	g.move(admin.Move{Old: carol.Subject, New: carolNow})
	who := carol
	who.Subject = carolNow
	for only, want := range map[string]error{"": nil, carol.Subject: nil, carolNow: tokens.ErrAnotherPerson, "company|c-3": tokens.ErrAnotherPerson} {
		if _, _, err := g.SignInProvided(t.Context(), tokens.Provided{Profile: who, Only: only}, ""); !errors.Is(err, want) {
			t.Errorf("only %q: %v", only, err)
		}
	}
}

// F50: what a move refuses, and what it says.
func TestF50MoveRefused(t *testing.T) {
	g := newGateway(t)
	g.provided(&idp{})
	other, _ := g.providedAs("company|c-3")
	token := g.exchanged(g.codeFor(other)).RefreshToken
	g.move(admin.Move{Old: carol.Subject, New: carolNow})
	if _, err := g.DisableUser(t.Context(), storage.TagSubject("company|c-4"), "company|c-4"); err != nil {
		t.Fatal(err)
	}
	refusals := []struct {
		name     string
		old, new string
		force    bool
		want     string
	}{
		{"the new one is somebody", carol.Subject, "company|c-3", false, "company|c-3 has signed in as somebody of their own, with 1 sessions and 1 grants: --force ends those"},
		{"the new one is disabled", carol.Subject, "company|c-4", true, "users enable 'company|c-4'"},
		{"the new one is moved to another", "company|c-3", carolNow, true, "take that back first, by --undo 'company|c-2'"},
		{"the old one is moved", carolNow, "company|c-5", true, "company|c-2 has been moved itself and signs in as company|c-1"},
		{"a loop", carolNow, carol.Subject, true, "has been moved itself"},
		{"others are moved to the new one", "company|c-3", carol.Subject, true, "company|c-2 signs in as company|c-1, which must not be moved on"},
	}
	for _, tt := range refusals {
		for _, dry := range []bool{true, false} {
			_, err := g.Move(t.Context(), admin.Move{Old: tt.old, New: tt.new, Force: tt.force, DryRun: dry})
			if refused, ok := errors.AsType[admin.RefusedError](err); !ok || !strings.Contains(string(refused), tt.want) {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
			}
		}
	}
	if _, err := g.UndoMove(t.Context(), "company|c-3", false); err == nil || !strings.Contains(err.Error(), "has not been moved") {
		t.Errorf("taking back what was not: %v", err)
	}
	token = g.refreshOK(token).RefreshToken
	if done := g.move(admin.Move{Old: carol.Subject, New: "company|c-3", Force: true, DryRun: true}); done != (admin.Moved{Families: 1, Sessions: 1}) {
		t.Errorf("a dry run: %+v", done)
	}
	token = g.refreshOK(token).RefreshToken
	if done := g.move(admin.Move{Old: carol.Subject, New: "company|c-3", Force: true}); done != (admin.Moved{Families: 1, Sessions: 1}) {
		t.Errorf("by force: %+v", done)
	}
	g.refusedRefresh(token, oauth.ReasonUnknown)
	if l, _ := g.providedAs("company|c-3"); l.Profile.Subject != carol.Subject {
		t.Errorf("signed in as %s", l.Profile.Subject)
	}
}

// TestH1Rebind: the people of a login go on at another provider, if an operator says
// that it is the same people, and nobody else does.
func TestH1Rebind(t *testing.T) {
	g := newGateway(t)
	ours := tokens.Profile{Subject: "company|00u1", Login: "company", Fingerprint: company}
	partner := tokens.Profile{Subject: "company2|00u1", Login: "company2", Fingerprint: company}
	stranger := tokens.Profile{Subject: "company|00u2", Login: "company", Fingerprint: storage.Fingerprint{0xee}}
	l, cookie := g.signIn(ours)
	token := g.exchanged(g.codeFor(l)).RefreshToken
	g.signIn(partner)
	_, strange := g.signIn(stranger)
	g.signIn(alice)

	now := storage.Fingerprint{0xc1}
	g.cfg.Accounts = accounts{{}: now}
	g.reload()
	g.refusedRefresh(token, oauth.ReasonUserChanged)
	what := admin.Rebinding{Login: "company", From: company, To: now}
	heard := 0
	for _, tt := range []struct {
		name string
		dry  bool
		want admin.Rebound
	}{
		{"a dry run", true, admin.Rebound{Users: 4, Bound: 1}},
		{"for good", false, admin.Rebound{Users: 4, Bound: 1}},
		{"again", false, admin.Rebound{Users: 4, Already: 1}},
	} {
		what.DryRun = tt.dry
		done, err := g.Rebind(t.Context(), what, func(admin.Rebound) { heard++ })
		if err != nil || done != tt.want {
			t.Errorf("%s: %+v, %v, want %+v", tt.name, done, err, tt.want)
		}
		if g.signedIn(cookie) == tt.dry {
			t.Errorf("%s: signed in %t", tt.name, tt.dry)
		}
	}
	if heard != 12 {
		t.Errorf("%d reports", heard)
	}
	if g.signedIn(strange) {
		t.Error("who came by yet another provider is signed in")
	}
	for subject, want := range map[string]storage.Fingerprint{partner.Subject: company, stranger.Subject: stranger.Fingerprint, alice.Subject: alice.Fingerprint} {
		if p, err := g.store.Profile(t.Context(), storage.TagSubject(subject)); err != nil || p.Fingerprint != want {
			t.Errorf("%s has %v, %v", subject, p.Fingerprint, err)
		}
	}
	g.pass(time.Minute)
	g.refreshOK(token)
	ours.Fingerprint = now
	if l, _ := g.signIn(ours); l.Session.EndedOthers {
		t.Error("the next sign-in has ended what was there")
	}
}
