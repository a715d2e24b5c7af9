package tokens_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// oneLogin is a sign-in by a provider and what an application has of it.
type oneLogin struct {
	cookie string
	tokens *tokens.TokenResponse
}

// bring signs carol in as her provider names it.
func (g *gateway) bring(session, id string) oneLogin {
	g.t.Helper()
	l, cookie, err := g.SignInProvided(g.t.Context(), tokens.Provided{Profile: carol, Session: session, ID: id}, "")
	if err != nil {
		g.t.Fatal(err)
	}
	return oneLogin{cookie, g.exchanged(g.codeFor(l))}
}

// H8, F64: what a provider's word ends, at another node than the one of the sign-in too, and
// that it ends nothing else.
func TestH8EndProvided(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	const ago = -time.Minute
	for _, tt := range []struct {
		name          string
		logout        tokens.ProviderLogout
		at            time.Duration // of the word, from the sign-ins on
		first, second bool          // what goes on: the login "s1", and the one "s2"
	}{
		{"session", tokens.ProviderLogout{Session: "s1", Subject: "c-1", ByID: true}, 0, false, true},
		{"session alone", tokens.ProviderLogout{Session: "s2"}, 0, true, false},
		{"person by their ID", tokens.ProviderLogout{Subject: "c-1", ByID: true}, 0, false, false},
		{"person by the provider's name", tokens.ProviderLogout{Subject: "foreign"}, 0, false, false},
		{"session that nobody has", tokens.ProviderLogout{Session: "s3", Subject: "c-1", ByID: true}, 0, true, true},
		{"person whom nobody knows", tokens.ProviderLogout{Subject: "c-2", ByID: true}, 0, true, true},
		{"foreign name where IDs are no names", tokens.ProviderLogout{Subject: "c-1"}, 0, true, true},
		{"session, token kept from before", tokens.ProviderLogout{Session: "s1"}, ago, true, true},
		{"person, token kept from before", tokens.ProviderLogout{Subject: "c-1", ByID: true}, ago, true, true},
		{"foreign name, token kept from before", tokens.ProviderLogout{Subject: "foreign"}, ago, true, true},
		{"provider whose clock is behind", tokens.ProviderLogout{Session: "s1"}, -5 * time.Second, false, true},
		{"provider whose clock is ahead", tokens.ProviderLogout{Subject: "foreign"}, time.Minute, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			local := newGateway(t)
			a, b := newNode(t, onServer(server, t), neverLag), newNode(t, onServer(server, t), neverLag)
			for _, nodes := range [][2]*gateway{{local, local}, {a.gateway, b.gateway}} {
				here, there := nodes[0], nodes[1]
				first, second := here.bring("s1", "foreign"), here.bring("s2", "foreign")
				other := here.login()
				for _, l := range []oneLogin{first, second} {
					if !here.passes(l.tokens.AccessToken) {
						t.Fatal("a new token does not pass")
					}
				}
				tt.logout.Login, tt.logout.At = "company", here.cfg.Clock().Add(tt.at)
				for range 2 { // a provider may say it twice
					if err := there.EndProvided(t.Context(), tt.logout); err != nil {
						t.Fatal(err)
					}
				}
				for name, l := range map[string]struct {
					oneLogin
					want bool
				}{"first": {first, tt.first}, "second": {second, tt.second}} {
					if here == local {
						if got := here.passes(l.tokens.AccessToken); got != l.want {
							t.Errorf("%s: the access token passes: %t", name, got)
						}
					} else if !l.want {
						a.refusesSoon(l.tokens.AccessToken)
					}
					if got := here.signedIn(l.cookie); got != l.want {
						t.Errorf("%s: signed in: %t", name, got)
					}
					if _, err := here.token("spa", refreshRequest(l.tokens.RefreshToken)); (err == nil) != l.want {
						t.Errorf("%s: refresh: %v", name, err)
					}
				}
				if !here.passes(other.AccessToken) {
					t.Error("somebody else is signed out")
				}
				wanted := 1
				if tt.first && tt.second {
					wanted = 0
				}
				if n := there.events.count(oauth.EventLogout, oauth.OutcomeProvider); tt.logout.Session != "" && n != wanted {
					t.Errorf("%d events of a sign-out", n)
				}
				// And a new sign-in is good at once.
				if again := here.bring("s9", "foreign"); !here.signedIn(again.cookie) || !here.passes(again.tokens.AccessToken) {
					t.Error("the person cannot sign in again")
				}
			}
		})
	}
}

// H8 (a): a token that somebody keeps ends nothing that began later than ten seconds after it.
func TestH8ReplayedAfterLogin(t *testing.T) {
	g := newGateway(t)
	g.bring("s1", "")
	captured := []tokens.ProviderLogout{
		{Login: "company", Subject: "c-1", ByID: true, At: g.clock()},
		{Login: "company", Session: "s1", At: g.clock()},
	}
	g.pass(11 * time.Second)
	later := g.bring("s1", "") // the provider's session goes on
	for _, l := range captured {
		if err := g.EndProvided(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	if !g.signedIn(later.cookie) || !g.passes(later.tokens.AccessToken) {
		t.Error("a token from before has ended a login")
	}
	g.refreshOK(later.tokens.RefreshToken)
}

// A person whom an operator has moved is found by what their provider calls them.
func TestH8MovedPerson(t *testing.T) {
	g := newGateway(t)
	l := g.bring("", "")
	g.move(admin.Move{Old: "company|c-1", New: "company|c-9"})
	err := g.EndProvided(t.Context(), tokens.ProviderLogout{Login: "company", Subject: "c-9", ByID: true, At: g.clock()})
	if err != nil || g.signedIn(l.cookie) {
		t.Errorf("still signed in, %v", err)
	}
}
