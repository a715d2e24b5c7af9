package handler

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// F50, F72: an application that expects a certain person gets them, also where their
// provider calls them otherwise since; whoever else comes is signed in to nothing.
func TestF50F72Expected(t *testing.T) {
	id := "b-1"
	idp := &scripted{name: "company", finish: func(login.Departure, url.Values) (*login.Arrival, error) { return &login.Arrival{ID: id}, nil }}
	g := newGateway(t, withLogins(false, idp))
	arrive := func(b *browser, change ...string) (q url.Values) {
		t.Helper()
		target := b.comeBack(b.get(authorizeURL(change...)).Header.Get("Location"), idp)
		_, q = location(t, b.get(target))
		return q
	}
	hint := jsonOf(t, g.exchange(arrive(g.browser()).Get("code")))["id_token"].(string)
	if err := g.state.Store.PutAlias(t.Context(), storage.Alias{From: "company|b-2", Subject: "company|b-1"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id, err string
	}{{"b-1", ""}, {"b-2", ""}, {"b-3", "login_required"}} {
		id = tt.id
		b := g.browser()
		q := arrive(b, "id_token_hint", hint)
		if q.Get("error") != tt.err || (q.Get("code") != "") != (tt.err == "") {
			t.Errorf("%s comes: %v", id, q)
		}
		if idp.last().Asked.ID != "b-1" {
			t.Errorf("asked %+v", idp.last().Asked)
		}
		if tt.err != "" {
			if b.cookies[g.cookies.session] != nil {
				t.Errorf("%s has a session", id)
			}
			continue
		}
		answer := g.exchange(q.Get("code"))
		if sub := payloadOf(t, jsonOf(t, answer)["id_token"])["sub"]; answer.StatusCode != http.StatusOK || sub != "company|b-1" {
			t.Errorf("%s is %v", id, sub)
		}
	}
}
