package tokens_test

import (
	"fmt"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestSignOutOfStrangeFamilies: nobody fills a denylist with ids that were
// never theirs; a sign-out that is repeated is one all the same.
func TestSignOutOfStrangeFamilies(t *testing.T) {
	g := newGateway(t)
	l, _ := g.signIn(alice)
	res := g.mustToken("spa", codeRequest(g.codeFor(l)))
	entries := func() int {
		denied, err := g.store.Denials(t.Context(), []storage.UserTag{l.Session.User})
		if err != nil {
			t.Fatal(err)
		}
		return len(denied[0].Entries)
	}
	for n := range byte(50) {
		if err := g.SignOutOf(t.Context(), l, storage.FamilyID{n, 1}); err != nil {
			t.Fatal(err)
		}
	}
	if n := entries(); n != 0 {
		t.Errorf("%d entries of families that never were", n)
	}
	apps, _, err := g.SignedIn(t.Context(), l, 0, 10)
	if err != nil || len(apps) != 1 {
		t.Fatal(apps, err)
	}
	for range 2 {
		if err := g.SignOutOf(t.Context(), l, apps[0].Family.ID); err != nil {
			t.Fatal(err)
		}
		if n := entries(); n != 1 || g.passes(res.AccessToken) {
			t.Errorf("%d entries, and the access token passes: %t", n, g.passes(res.AccessToken))
		}
	}
}

// TestSignedInAtABackend: the backend of a confidential client is not where the
// person is, however often it refreshes.
func TestSignedInAtABackend(t *testing.T) {
	g := newGateway(t)
	l, _ := g.signIn(alice)
	login := func(client, redirect string) string {
		a, err := g.ParseAuthorization(t.Context(), request("client_id", client, "redirect_uri", redirect))
		if err != nil {
			t.Fatal(err)
		}
		code, err := g.IssueCode(from(t, "192.0.2.1", "Firefox on Linux", "login"), a, l)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	lastPlace := fmt.Sprint("192.0.2.", 2*storage.HistoryLength+1)
	for _, tt := range []struct{ client, redirect, address string }{
		{"web", "https://web.example.com/cb", "192.0.2.1"},
		{"spa", spaRedirect, lastPlace},
	} {
		r := codeRequest(login(tt.client, tt.redirect))
		r.RedirectURI = tt.redirect
		token := g.mustToken(tt.client, r).RefreshToken
		id := g.family()
		for n := range 2 * storage.HistoryLength { // each from another place
			ctx := from(t, fmt.Sprint("192.0.2.", n+2), "Go-http-client", "")
			res, err := g.Token(ctx, g.client(tt.client), refreshRequest(token))
			if err != nil {
				t.Fatal(err)
			}
			token = res.RefreshToken
		}
		for last := g.history(id, storage.HistoryLength); last[storage.HistoryLength-1].Address != lastPlace; {
			last = g.history(id, storage.HistoryLength)
		}
		apps, _, err := g.SignedIn(t.Context(), l, 0, 10)
		if err != nil || len(apps) != 1 || apps[0].Device != "Firefox on Linux" || apps[0].Address != tt.address {
			t.Errorf("%s: %+v, %v", tt.client, apps, err)
		}
		if err := g.SignOutOf(t.Context(), l, id); err != nil {
			t.Fatal(err)
		}
	}
}
