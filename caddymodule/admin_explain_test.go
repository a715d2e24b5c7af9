package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
)

// explained waits until a history tells of an event, which is written behind
// the answers, and returns what it says.
func (g *gateway) explained(id string, event history.Kind) adminapi.Explanation {
	g.t.Helper()
	var e adminapi.Explanation
	eventually(g.t, "an explanation with "+string(event), func() bool {
		status, body := g.admin(http.MethodGet, "/oauth/explain/"+url.PathEscape(id))
		if status != http.StatusOK {
			return false
		}
		e = adminapi.Explanation{}
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			g.t.Fatal(err)
		}
		return len(e.Events) > 0 && e.Events[len(e.Events)-1].Event == event
	})
	return e
}

// family returns the only live family of alice.
func (g *gateway) family() string {
	g.t.Helper()
	_, body := g.admin(http.MethodGet, "/oauth/grants?subject="+url.QueryEscape("local|alice"))
	var list adminapi.GrantList
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Grants) != 1 {
		g.t.Fatalf("grants %s: %v", body, err)
	}
	return list.Grants[0].Family
}

var loginRequest = regexp.MustCompile(`"msg":"token_issued","outcome":"ok","grant_type":"authorization_code".*"request_id":"([^"]+)"`)

var reuseRequest = regexp.MustCompile(`"msg":"refresh_reuse_detected".*"request_id":"([^"]+)"`)

func TestExplainReuse(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	stale := g.login().RefreshToken
	family := g.family()
	if e := g.explained(family, history.Begun); e.Verdict != admin.VerdictAlive || e.Grant == nil || e.Subject != "local|alice" || e.Client != "my-spa" {
		t.Errorf("after the login: %+v", e)
	}
	next := g.refresh(stale)
	if g.refresh(stale).RefreshToken != next.RefreshToken {
		t.Fatal("no replay within the leeway")
	}
	if e := g.explained(family, history.Replayed); !slices.Contains([]admin.Verdict{admin.VerdictTabRace, admin.VerdictLostResponse}, e.Verdict) || e.Events[len(e.Events)-1].Late == "" {
		t.Errorf("after a replay: %+v", e)
	}
	g.refresh(next.RefreshToken)
	if answer := g.refresh(stale); answer.status != http.StatusBadRequest {
		t.Fatalf("an old token: %d %s", answer.status, answer.body)
	}
	e := g.explained(family, history.Reused)
	if e.Verdict != admin.VerdictLostResponse || e.Grant != nil || e.Events[len(e.Events)-1].Address == "" {
		t.Errorf("after the reuse, from the same place: %+v", e)
	}
	request := reuseRequest.FindStringSubmatch(g.logs())
	if request == nil {
		t.Fatal("the log does not name the request")
	}
	if byRequest := g.explained(request[1], history.Reused); byRequest.Family != family {
		t.Errorf("by the request: %+v", byRequest)
	}
	login := loginRequest.FindStringSubmatch(g.logs())
	if login == nil {
		t.Fatal("the log does not name the request of the login")
	}
	if byLogin := g.explained(login[1], history.Reused); byLogin.Family != family {
		t.Errorf("by the request of the login, which no history keeps: %+v", byLogin)
	}
	out, _ := g.ok("explain", family)
	for _, want := range []string{"local|alice", "my-spa", "lost_response: ", "begun", "reused", "127.0.0.1", request[1]} {
		if !strings.Contains(out, want) {
			t.Errorf("the output has no %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, stale) || strings.Contains(out, next.RefreshToken) {
		t.Error("the output shows a token")
	}
}

func TestExplainEnds(t *testing.T) {
	g := startGateway(t, gatewayOptions{Client: "refresh_token {\n max_active 1\n}"})
	g.login()
	evicted := g.family()
	g.login()
	if e := g.explained(evicted, history.Evicted); e.Verdict != admin.VerdictEvicted {
		t.Errorf("evicted: %+v", e)
	}
	client := g.family()
	g.explained(client, history.Begun)
	g.ok("clients", "end", "my-spa")
	if e := g.explained(client, history.Begun); e.Verdict != admin.VerdictClientEnded || e.Grant != nil {
		t.Errorf("the client was ended: %+v", e)
	}
	g.login()
	ended := g.family()
	g.ok("grants", "end", "local|alice")
	if e := g.explained(ended, history.Ended); e.Verdict != admin.VerdictEnded || e.Events[len(e.Events)-1].By != history.EndedByOperator {
		t.Errorf("ended: %+v", e)
	}
	if _, _, err := g.runWith("", "explain", "no-such-id", "--address", g.AdminAddr); err == nil || !strings.Contains(err.Error(), "names its `family`") {
		t.Errorf("an unknown id: %v", err)
	}
}

func TestPurgeIssuer(t *testing.T) {
	a := newOtherIssuer(t)
	g := startGateway(t, gatewayOptions{API: guardOf("scope orders:read", a.block())})
	stolen := a.mint(nil)
	g.eventuallyPasses(stolen)
	if out, _ := g.ok("issuers", "list"); !strings.Contains(out, a.URL()) || strings.Contains(out, "never") {
		t.Errorf("list:\n%s", out)
	}
	a.rotate()
	if resp, _ := g.call("/orders", stolen); resp.StatusCode != http.StatusOK {
		t.Fatalf("before the purge: %d", resp.StatusCode)
	}
	if out, _ := g.ok("issuers", "purge", a.URL()); !strings.Contains(out, "forgot the keys") {
		t.Errorf("purge:\n%s", out)
	}
	if resp, _ := g.call("/orders", stolen); resp.StatusCode == http.StatusOK {
		t.Error("a token of a purged key passes")
	}
	g.eventuallyPasses(a.mint(nil))
	if !strings.Contains(g.logs(), `"outcome":"purge_issuer"`) {
		t.Error("the log does not tell of the purge")
	}
	if _, _, err := g.runWith("", "issuers", "purge", "https://nobody.example/", "--address", g.AdminAddr); err == nil || !strings.Contains(err.Error(), "no bearer_auth accepts tokens") {
		t.Errorf("an unknown issuer: %v", err)
	}
}
