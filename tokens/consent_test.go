package tokens_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// asking gives a client a mode of consent.
func asking(id string, mode clients.ConsentMode) func(*tokens.Config) {
	return func(c *tokens.Config) {
		for _, client := range c.Clients {
			if client.ID == id {
				client.Consent = mode
			}
		}
	}
}

// agree answers the consent page of a request, and redeems nothing.
func (g *gateway) agree(l *tokens.Login, overrides ...string) string {
	g.t.Helper()
	a, err := g.ParseAuthorization(g.t.Context(), request(overrides...))
	if err != nil {
		g.t.Fatal(err)
	}
	code, err := g.IssueAgreed(g.t.Context(), a, l)
	if err != nil {
		g.t.Fatal(err)
	}
	return code
}

// H10, AUZ-29, AUZ-31: what a consent that is remembered answers silently, and what never.
func TestH10ConsentIsSkipped(t *testing.T) {
	loopback, scheme := []string{"client_id", "native", "redirect_uri", "http://127.0.0.1:5000/cb"}, []string{"client_id", "native", "redirect_uri", "com.example.app:/cb"}
	for _, tt := range []struct {
		name    string
		mode    clients.ConsentMode
		request []string
		change  func(*tokens.Config)
		skipped bool
	}{
		{"https, always", clients.ConsentAlways, nil, nil, true},
		{"https, auto", clients.ConsentAuto, nil, nil, true},
		{"https, prompt consent", clients.ConsentAlways, []string{"prompt", "consent"}, nil, false},
		{"loopback, always", clients.ConsentAlways, loopback, nil, false},
		{"loopback, auto", clients.ConsentAuto, loopback, nil, false},
		{"loopback, never", clients.ConsentNever, loopback, nil, true},
		{"a scheme, always", clients.ConsentAlways, scheme, nil, false},
		{"a scheme, auto", clients.ConsentAuto, scheme, nil, false},
		{"developing", clients.ConsentAlways, []string{"redirect_uri", "http://localhost:8081/"}, func(c *tokens.Config) {
			c.Issuer = "http://localhost:8080/"
			c.Clients[0].RedirectURIs = append(c.Clients[0].RedirectURIs, "http://localhost:8081/")
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change := []func(*tokens.Config){asking("spa", tt.mode), asking("native", tt.mode)}
			if tt.change != nil {
				change = append(change, tt.change)
			}
			g := newGateway(t, change...)
			l, cookie := g.signIn(alice)
			g.agree(l, tt.request...)
			a, err := g.ParseAuthorization(g.t.Context(), request(tt.request...))
			if err != nil {
				t.Fatal(err)
			}
			l, err = g.CurrentLoginAt(t.Context(), cookie, a.ClientID)
			if err != nil {
				t.Fatal(err)
			}
			want := tokens.StepConsent
			if tt.skipped {
				want = tokens.StepIssue
			}
			if step, err := g.NextStep(t.Context(), a, l, tokens.Progress{}); err != nil || step != want {
				t.Errorf("step %d, %v; want %d", step, err, want)
			}
			if q, err := g.Question(t.Context(), a, l, false); err != nil || (q == nil) != tt.skipped {
				t.Errorf("asked %+v, %v", q, err)
			} else if q != nil && (q.More || !slices.Equal(q.Scopes(a.Scopes), a.Scopes)) {
				t.Errorf("asked for %v, want all", q.Scopes(a.Scopes))
			}
		})
	}
}

// The port of a loopback redirect URI is no part of what was agreed to.
func TestH10LoopbackPort(t *testing.T) {
	for uri, want := range map[string][2]string{ // of a native app, of another
		"http://127.0.0.1:5000/cb?a=b": {"http://127.0.0.1/cb?a=b", "http://127.0.0.1/cb?a=b"},
		"http://[::1]:1/":              {"http://[::1]/", "http://[::1]/"},
		"http://localhost:5000/cb":     {"http://localhost/cb", "http://localhost:5000/cb"},
		"https://127.0.0.1:5000/cb":    {"https://127.0.0.1:5000/cb", "https://127.0.0.1:5000/cb"},
		"https://app.example.com:1/cb": {"https://app.example.com:1/cb", "https://app.example.com:1/cb"},
		"com.example.app:/cb":          {"com.example.app:/cb", "com.example.app:/cb"},
	} {
		if got := [2]string{oauth.WithoutLoopbackPort(uri, true), oauth.WithoutLoopbackPort(uri, false)}; got != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
}

// M13: a person is asked for what they have; what they gain later is new.
func TestM13ConsentOfGroups(t *testing.T) {
	g := newGateway(t, staff, asking("spa", clients.ConsentAlways), func(c *tokens.Config) {
		c.APIs[0].ScopeFor = map[string]people.Rule{"orders:write": {{"staff"}}}
	})
	wide := []string{"scope", "openid orders:read orders:write"}
	asked := func(l *tokens.Login) []string {
		a, err := g.ParseAuthorization(g.t.Context(), request(wide...))
		if err != nil {
			t.Fatal(err)
		}
		q, err := g.Question(t.Context(), a, l, false)
		if err != nil || q == nil {
			return nil
		}
		return q.Scopes(a.Scopes)
	}
	l := g.bringing()
	if got := asked(l); !slices.Equal(got, []string{"openid", "orders:read"}) {
		t.Errorf("asked for %v", got)
	}
	g.agree(l, wide...)
	if got := asked(g.bringing()); got != nil {
		t.Errorf("asked for %v again", got)
	}
	if got := asked(g.bringing("/staff")); !slices.Equal(got, []string{"orders:write"}) {
		t.Errorf("of what was gained, asked for %v", got)
	}
}

// TestConsentTrips: a silent answer is two calls to the store, as without consents, and an
// answer to the page none more, but for a text that is new to the node.
func TestConsentTrips(t *testing.T) {
	n := newNode(t, onServer(redistest.Start(t), t), neverLag, asking("spa", clients.ConsentAlways))
	l, cookie := n.signIn(alice)
	n.agree(l)
	during := func(run func()) map[string]int {
		before := n.called()
		run()
		calls := n.called()
		maps.DeleteFunc(calls, func(op string, count int) bool {
			return count == before[op] || op != "session" && op != "put_code" && op != "consents" && op != "grant" && op != "put_grant"
		})
		for op := range calls {
			calls[op] -= before[op]
		}
		return calls
	}
	two := map[string]int{"session": 1, "put_code": 1}
	for name, prompt := range map[string]string{"silently": "none", "asked": "consent"} {
		got := during(func() {
			a, err := n.ParseAuthorization(t.Context(), request("prompt", prompt))
			n.must(err)
			l, err := n.CurrentLoginAt(t.Context(), cookie, a.ClientID)
			n.must(err)
			q, err := n.Question(t.Context(), a, l, false)
			n.must(err)
			_, err = n.NextStep(t.Context(), a, l, tokens.Progress{Agreed: q})
			n.must(err)
			if q == nil {
				_, err = n.IssueCode(t.Context(), a, l)
			} else {
				_, err = n.IssueAgreed(t.Context(), a, l)
			}
			n.must(err)
		})
		if !maps.Equal(got, two) {
			t.Errorf("%s: %v, want %v", name, got, two)
		}
	}
}

// What somebody has agreed to at a hundred applications is two calls to the store, on a node that
// knows nothing of it yet.
func TestConsentsOfColdNode(t *testing.T) {
	server := redistest.Start(t)
	a := newNode(t, onServer(server, t), neverLag)
	l, _ := a.signIn(alice)
	for n := range storage.MaxConsents {
		g := storage.Grant{Agreed: storage.Agreed{"redirect": {"https://api.example.com": {fmt.Sprintf("scope-%d", n)}}}}
		a.must(a.state.Grants.Put(t.Context(), g, time.Hour))
		_, id, err := g.Text()
		a.must(err)
		client := storage.AllDocuments.Of([16]byte{1: byte(n), 2: 1})
		kept, err := a.state.Store.PutCode(t.Context(), storage.PutRequest{
			User: l.Session.User, ID: storage.CodeID{byte(n)}, Session: l.Session.ID, Client: client, Lifetime: time.Minute,
			Consent: &storage.Consent{Agreed: id, Name: "app.example", Host: true},
		})
		if a.must(err); kept != storage.PutKept {
			t.Fatal(kept)
		}
	}
	cold := newNode(t, onServer(server, t), neverLag)
	before := cold.called()
	list, err := cold.ConsentsOf(t.Context(), l.Session.User)
	cold.must(err)
	after := cold.called()
	if calls := after["consents"] + after["grant"] - before["consents"] - before["grant"]; len(list) != storage.MaxConsents || calls != 2 {
		t.Errorf("%d consents by %d calls, want %d by 2", len(list), calls, storage.MaxConsents)
	}
	scopes := make(map[string]bool)
	for _, c := range list {
		scopes[c.Scopes[0]] = true
	}
	if len(scopes) != storage.MaxConsents {
		t.Errorf("%d scopes", len(scopes))
	}
}

// A device that was let in stands among the consents, and a withdrawal ends what it has and
// what it has yet to fetch.
func TestConsentOfDevice(t *testing.T) {
	g := newGateway(t, withTV)
	l, _ := g.signIn(alice)
	d, waiting := g.device(), g.device()
	g.approve(d, l)
	res, err := g.poll(d)
	if err != nil {
		t.Fatal(err)
	}
	g.approve(waiting, l)
	list, err := g.Consents(t.Context(), l)
	if err != nil || len(list) != 1 || list[0].Client.ID != "tv" || !slices.Equal(list[0].Scopes, []string{"offline_access", "openid", "orders:read", "profile"}) {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := g.WithdrawConsent(t.Context(), l, list[0].ClientTag); err != nil {
		t.Fatal(err)
	}
	if g.passes(res.AccessToken) {
		t.Error("its access token passes")
	}
	_, err = g.token("tv", tokens.TokenRequest{GrantType: oauth.GrantRefreshToken, RefreshToken: res.RefreshToken})
	refused(t, err, oauth.InvalidGrant, "")
	_, err = g.poll(waiting)
	refused(t, err, oauth.InvalidGrant, oauth.ReasonRevoked)
	if n := g.events.count(oauth.EventConsent, oauth.OutcomeWithdrawn); n != 1 {
		t.Errorf("%d events", n)
	}
	if list, err = g.Consents(t.Context(), l); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	again := g.device()
	g.approve(again, l)
	if _, err := g.poll(again); err != nil {
		t.Errorf("let in once more: %v", err)
	}
}

// The text of a consent is lost: the person is asked for all, and can agree.
func TestConsentTextLost(t *testing.T) {
	g := newGateway(t, asking("spa", clients.ConsentAlways))
	l, _ := g.signIn(alice)
	put := storage.PutRequest{
		User: l.Session.User, ID: storage.CodeID{1}, Session: l.Session.ID, Client: g.client("spa").Tag(), Lifetime: time.Minute,
		Consent: &storage.Consent{Agreed: storage.GrantID{1}, Name: "App"},
	}
	if kept, err := g.store.PutCode(t.Context(), put); err != nil || kept != storage.PutKept {
		t.Fatal(kept, err)
	}
	a, err := g.ParseAuthorization(g.t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	if q, err := g.Question(t.Context(), a, l, false); err != nil || q == nil || q.More {
		t.Errorf("asked %+v, %v", q, err)
	}
	list, err := g.Consents(t.Context(), l)
	if err != nil || len(list) != 1 || list[0].Scopes != nil {
		t.Errorf("%+v, %v", list, err)
	}
	g.agree(l)
	if q, err := g.Question(t.Context(), a, l.WithoutConsent(), false); err != nil || q != nil {
		t.Errorf("asked again %+v, %v", q, err)
	}
}
