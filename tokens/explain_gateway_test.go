package tokens_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// from is the context of a request.
func from(t *testing.T, address, device, request string) context.Context {
	return oauth.WithRequester(t.Context(), oauth.Requester{
		Address: address, Device: func() string { return device }, RequestID: func() string { return request },
	})
}

// history waits until the history of a family has so many entries: it is written
// behind the answers.
func (g *gateway) history(id storage.FamilyID, entries int) []history.Entry {
	g.t.Helper()
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		all, err := g.state.History.Of(g.t.Context(), id)
		if err != nil {
			g.t.Fatal(err)
		}
		if len(all[0]) == entries {
			return all[0]
		}
		if time.Since(begun) > 10*time.Second {
			g.t.Fatalf("history %+v, want %d entries", all[0], entries)
		}
	}
}

// family is the one live family of alice.
func (g *gateway) family() storage.FamilyID {
	g.t.Helper()
	families, err := g.Grants(g.t.Context(), alice.Subject)
	if err != nil || len(families) != 1 {
		g.t.Fatal(families, err)
	}
	return families[0].ID
}

func (g *gateway) explain(id string) admin.Explanation {
	g.t.Helper()
	e, found, err := g.Explain(g.t.Context(), id)
	if err != nil || !found {
		g.t.Fatalf("explaining %s: found %t, %v", id, found, err)
	}
	return e
}

// TestExplainShorterLifetimes: a reload that shortens lifetimes shows at once, as
// in the list of grants.
func TestExplainShorterLifetimes(t *testing.T) {
	g := newGateway(t)
	g.login()
	id := g.family()
	g.history(id, 1)
	g.pass(time.Hour)
	g.cfg.Clients = testClients()
	g.cfg.Clients[0].Refresh.Lifetime = 2 * time.Hour
	g.reload()
	if e := g.explain(id.String()); e.Verdict != admin.VerdictAlive || e.Live == nil || e.Live.Expires.Sub(g.clock()) > time.Hour {
		t.Errorf("before the shorter end: %+v", e)
	}
	g.pass(time.Hour + time.Second)
	if e := g.explain(id.String()); e.Verdict != admin.VerdictExpired || e.Live != nil {
		t.Errorf("past it: %+v", e)
	}
}

// TestExplainAnyRequest finds the family by requests of which no history tells.
func TestExplainAnyRequest(t *testing.T) {
	g := newGateway(t)
	res, err := g.Token(from(t, "192.0.2.1", "Firefox", "login"), g.client("spa"), codeRequest(g.code()))
	if err != nil {
		t.Fatal(err)
	}
	id := g.family()
	for _, request := range []string{"r1", "r2", "r3"} {
		if res, err = g.Token(from(t, "192.0.2.1", "Firefox", request), g.client("spa"), refreshRequest(res.RefreshToken)); err != nil {
			t.Fatal(err)
		}
	}
	g.history(id, 1)
	for _, request := range []string{"login", "r1", "r2", "r3"} {
		if e := g.explain(request); e.Family != id || e.Verdict != admin.VerdictAlive {
			t.Errorf("%s: %+v", request, e)
		}
	}
	if _, found, err := g.Explain(t.Context(), "r4"); found || err != nil {
		t.Errorf("an unknown request: found %t, %v", found, err)
	}
}

// TestHistoryOfALongUse: a family that is used from one place keeps its history;
// one that rests for longer than that is explained by what lives.
func TestHistoryOfALongUse(t *testing.T) {
	const day = 24 * time.Hour
	g := newGateway(t, func(c *tokens.Config) {
		c.Clients[0].Refresh.Lifetime, c.Clients[0].Refresh.IdleLifetime = 0, 0
	})
	ctx := from(t, "192.0.2.1", "Firefox", "")
	res, err := g.Token(ctx, g.client("spa"), codeRequest(g.code()))
	if err != nil {
		t.Fatal(err)
	}
	id := g.family()
	for range 50 {
		g.pass(day)
		if res, err = g.Token(ctx, g.client("spa"), refreshRequest(res.RefreshToken)); err != nil {
			t.Fatal(err)
		}
		g.history(id, 1)
	}
	g.pass(storage.HistoryAge)
	e := g.explain(id.String())
	if e.Verdict != admin.VerdictAlive || e.Live == nil || e.Subject != alice.Subject || e.Client.ID != "spa" || len(e.History) != 0 {
		t.Errorf("without a history: %+v", e)
	}
	if _, err := g.EndUser(t.Context(), alice.Subject); err != nil {
		t.Fatal(err)
	}
	g.history(id, 1)
	if e := g.explain(id.String()); e.Verdict != admin.VerdictEnded {
		t.Errorf("ended: %+v", e)
	}
}
