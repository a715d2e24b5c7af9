package issuertest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/storetest"
)

// What a core writes into the histories of families, as people and operators read it.

// from is a request's context: who asks, and by which name the log knows it.
func (c *core) from(address, device, request string) context.Context {
	return oauth.WithRequester(c.t.Context(), oauth.Requester{
		Address: address, Device: func() string { return device }, RequestID: func() string { return request },
	})
}

// present refreshes in a context.
func (c *core) present(ctx context.Context, token string) (*tokens.TokenResponse, error) {
	return c.Token(ctx, c.client(), tokens.TokenRequest{GrantType: oauth.GrantRefreshToken, RefreshToken: token})
}

// family is the one live family of a subject.
func (c *core) family(subject string) storage.FamilyID {
	c.t.Helper()
	grants := storetest.Must(c.Grants(c.t.Context(), subject))(c.t)
	if len(grants) != 1 {
		c.t.Fatalf("%s has %d families", subject, len(grants))
	}
	return grants[0].ID
}

// story waits until a family's history reads as told, a line for each entry:
// histories are written behind the answers.
func (c *core) story(id storage.FamilyID, lines ...string) {
	c.t.Helper()
	want := strings.Join(lines, "\n")
	var entries []history.Entry
	var got string
	for begun := time.Now(); time.Since(begun) < 10*time.Second; {
		entries = storetest.Must(c.state.History.Of(c.t.Context(), id))(c.t)[0]
		read := make([]string, len(entries))
		for i, e := range entries {
			read[i] = strings.TrimSpace(fmt.Sprint(e.Kind, " ", e.By, " ", e.Address, " ", e.Device, " ", e.Request))
			read[i] = strings.Join(strings.Fields(read[i]), " ")
		}
		if got = strings.Join(read, "\n"); got == want {
			return
		}
	}
	c.t.Fatalf("the history reads\n%s\nwant\n%s", got, want)
}

// storyOfTheft: a login, its use, a tab race, a thief, and the owner who is
// refused; found by the family and by each request; with no token in it.
func storyOfTheft(c *core) {
	ctx := c.t.Context()
	first := c.login("local|alice").RefreshToken
	id := c.family("local|alice")
	home := func(request string) context.Context { return c.from("192.0.2.1", "Firefox", request) }
	second := storetest.Must(c.present(home("r1"), first))(c.t)
	storetest.Must(c.present(home("r2"), first))(c.t) // within the leeway
	third := storetest.Must(c.present(home("r3"), second.RefreshToken))(c.t)
	if _, err := c.present(c.from("203.0.113.9", "curl", "r4"), first); err == nil {
		c.t.Fatal("a grandparent passed")
	}
	if _, err := c.present(home("r5"), third.RefreshToken); err == nil {
		c.t.Fatal("an ended family refreshes")
	}
	c.story(id, "begun", "used 192.0.2.1 Firefox", "replayed 192.0.2.1 Firefox r2", "reused 203.0.113.9 curl r4", "refused unknown 192.0.2.1 Firefox r5")
	for _, name := range []string{id.String(), "r4", "r5"} {
		e, found, err := c.Explain(ctx, name)
		if err != nil || !found || e.Family != id || e.Verdict != admin.VerdictTheft || e.Live != nil || e.Subject != "local|alice" || e.Client.ID != "app" {
			c.t.Errorf("explaining %s: %+v %v %v", name, e, found, err)
		}
	}
	for _, note := range storetest.Must(c.h.Store.History(ctx, []storage.FamilyID{id}))(c.t)[0] {
		if len(note.Text) > storage.MaxNote {
			c.t.Errorf("a note of %d bytes", len(note.Text))
		}
		for _, secret := range []string{first, second.RefreshToken, third.RefreshToken, third.AccessToken, "rt1."} {
			if bytes.Contains(note.Text, []byte(secret)) {
				c.t.Errorf("a token is in the note %s", note.Text)
			}
		}
	}
}

// storyOfUse: many refreshes from one place are one note, another place is one more.
func storyOfUse(c *core) {
	token := c.login("local|alice").RefreshToken
	id := c.family("local|alice")
	for i, place := range []string{"192.0.2.1", "192.0.2.2"} {
		for n := range 40 {
			token = storetest.Must(c.present(c.from(place, "Firefox", fmt.Sprintf("%d-%d", i, n)), token))(c.t).RefreshToken
		}
	}
	c.story(id, "begun", "used 192.0.2.1 Firefox", "used 192.0.2.2 Firefox")
}

// storyOfExpiry: who comes back after the absolute end is told of it, whether the
// store still knows the family or has removed it since.
func storyOfExpiry(c *core) {
	c.needClock()
	const lifetime = 10 * 24 * time.Hour
	c.reload(func(p *clients.RefreshPolicy) { p.Lifetime, p.IdleLifetime = lifetime, 0 })
	token := c.login("local|alice").RefreshToken
	id := c.family("local|alice")
	c.story(id, "begun")
	c.pass(lifetime + time.Second)
	time.Sleep(20 * time.Millisecond) // a store may remove what is over
	if _, err := c.present(c.from("192.0.2.1", "Firefox", "r"), token); err == nil {
		c.t.Fatal("an expired family refreshes")
	}
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		e, found, err := c.Explain(c.t.Context(), id.String())
		if err != nil || !found || e.Verdict != admin.VerdictExpired || e.Live != nil {
			c.t.Fatalf("explained as %+v %v %v", e, found, err)
		}
		if len(e.History) == 2 {
			return
		}
		if time.Since(begun) > 10*time.Second {
			c.t.Fatalf("the history is %+v", e.History)
		}
	}
}

// storyOfEnds: each end says by whom.
func storyOfEnds(c *core) {
	ctx := c.t.Context()
	ask := c.from("192.0.2.7", "Firefox", "r")
	for _, tt := range []struct {
		subject, want string
		end           func(l *tokens.Login, token string, id storage.FamilyID) error
	}{
		{"local|client", "ended client 192.0.2.7 Firefox r", func(_ *tokens.Login, token string, _ storage.FamilyID) error {
			return c.Revoke(ask, c.client(), token)
		}},
		{"local|person", "ended person 192.0.2.7 Firefox r", func(l *tokens.Login, _ string, id storage.FamilyID) error { return c.SignOutOf(ask, l, id) }},
		{"local|everywhere", "ended person 192.0.2.7 Firefox r", func(l *tokens.Login, _ string, _ storage.FamilyID) error { return c.SignOutEverywhere(ask, l) }},
		{"local|operator", "ended operator 192.0.2.7 Firefox r", func(_ *tokens.Login, _ string, _ storage.FamilyID) error {
			_, err := c.EndUser(ask, "local|operator")
			return err
		}},
	} {
		token := c.login(tt.subject).RefreshToken
		id := c.family(tt.subject)
		l, _, err := c.SignIn(ctx, tokens.Profile{Subject: tt.subject, Login: "local", Fingerprint: storetest.Fingerprint}, "")
		storetest.NoError(c.t, err)
		storetest.NoError(c.t, tt.end(l, token, id))
		c.story(id, "begun", tt.want)
		if e, _, err := c.Explain(ctx, id.String()); err != nil || e.Verdict != admin.VerdictEnded {
			c.t.Errorf("%s: verdict %s %v", tt.subject, e.Verdict, err)
		}
	}
	c.reload(func(p *clients.RefreshPolicy) { p.MaxActive = 1 })
	c.login("local|evicted")
	id := c.family("local|evicted")
	c.login("local|evicted")
	c.story(id, "begun", "evicted")
}

// storyOfStrangers: nobody sees or ends what another person has.
func storyOfStrangers(c *core) {
	ctx := c.t.Context()
	access := c.login("local|alice")
	id := c.family("local|alice")
	bob, _, err := c.SignIn(ctx, tokens.Profile{Subject: "local|bob", Login: "local", Fingerprint: storetest.Fingerprint}, "")
	storetest.NoError(c.t, err)
	if seen, all, err := c.SignedIn(ctx, bob, 0, 10); len(seen) != 0 || all != 0 || err != nil {
		c.t.Errorf("bob sees %+v, %d in all, %v", seen, all, err)
	}
	storetest.NoError(c.t, c.SignOutOf(ctx, bob, id)) // as of one that has ended
	storetest.NoError(c.t, c.SignOutEverywhere(ctx, bob))
	if !c.passes(access.AccessToken) || c.live() != 1 {
		c.t.Error("bob has signed alice out")
	}
	c.refresh(access.RefreshToken)
	for _, e := range storetest.Must(c.state.History.Of(ctx, id))(c.t)[0] {
		if e.Kind == history.Ended {
			c.t.Errorf("alice's history says %+v", e)
		}
	}
}
