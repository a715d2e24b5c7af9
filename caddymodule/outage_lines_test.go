package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// linesByKind counts the lines at INFO and above that are no access log.
func (g *gateway) linesByKind() map[string]int {
	g.t.Helper()
	lines := make(map[string]int)
	for line := range strings.Lines(g.logs()) {
		var entry struct{ Level, Logger, Msg, Outcome string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			g.t.Errorf("not a line of JSON: %.200q", line)
		}
		if entry.Level == "debug" || strings.HasPrefix(entry.Logger, "http.log.access") {
			continue
		}
		lines[entry.Level+" "+entry.Logger+" "+entry.Msg+" "+entry.Outcome]++
	}
	return lines
}

// R10: with Redis away every guarded request was an ERROR line, and so may be
// whatever a stranger sends. Whoever asks, and for what: of each kind of trouble
// there is a line at once, and then one a second.
func TestR10LinesOfAnOutage(t *testing.T) {
	server := redistest.Start(t)
	g := startGateway(t, gatewayOptions{
		StoreIn: "redis {\n address " + server.Addr + "\n timeout 500ms\n}",
		Deny:    "max_lag 1s",
	})
	session := g.login()
	server.Stop()
	eventually(t, "a guarded route that cannot be sure", func() bool {
		resp, _ := g.call("/orders", session.AccessToken)
		return resp.StatusCode == http.StatusServiceUnavailable
	})
	resp, body := g.call("/orders", session.AccessToken)
	if resp.Header.Get("Retry-After") == "" || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" || body != "" {
		t.Errorf("answer %v %q", resp.Header, body)
	}
	before := g.linesByKind()
	basic := func(r *http.Request) *http.Request { r.SetBasicAuth("worker", g.Machine); return r }
	requests := []func(i int) *http.Request{
		func(int) *http.Request {
			return g.request(g.API+"/orders", nil, "Authorization", "Bearer "+session.AccessToken)
		},
		func(i int) *http.Request {
			return g.request(g.API+"/orders", nil, "Authorization", fmt.Sprintf("Bearer a.b%d.c", i))
		},
		func(int) *http.Request {
			return g.request(g.API+"/orders", nil, "Authorization", "DPoP "+session.AccessToken, "Dpop", "x.y.z")
		},
		func(int) *http.Request { return g.request(g.API+"/orders", nil, "Origin", "https://nobody.example") },
		func(int) *http.Request {
			return g.request(g.url("/oauth/token"), url.Values{"grant_type": {"refresh_token"}, "client_id": {"my-spa"}, "refresh_token": {session.RefreshToken}})
		},
		func(i int) *http.Request {
			return g.request(g.url("/oauth/token"), url.Values{"grant_type": {"refresh_token"}, "client_id": {"my-spa"}, "refresh_token": {fmt.Sprint("rt1.", i)}})
		},
		func(i int) *http.Request {
			return g.request(g.url("/oauth/token"), url.Values{"grant_type": {"refresh_token"}, "client_id": {fmt.Sprint("nobody", i)}})
		},
		func(int) *http.Request {
			return g.request(g.url("/oauth/revoke"), url.Values{"client_id": {"my-spa"}, "token": {session.RefreshToken}})
		},
		func(int) *http.Request {
			return basic(g.request(g.url("/oauth/introspect"), url.Values{"token": {session.AccessToken}}))
		},
		func(i int) *http.Request {
			return basic(g.request(g.url("/oauth/introspect"), url.Values{"token": {fmt.Sprint("garbage", i)}}))
		},
		func(int) *http.Request {
			return g.request(g.url("/userinfo"), nil, "Authorization", "Bearer "+session.AccessToken)
		},
		func(i int) *http.Request {
			return g.request(g.url("/authorize?client_id="+fmt.Sprint("nobody", i)), nil)
		},
		func(int) *http.Request {
			return g.request(g.url("/oauth/token"), url.Values{}, "Origin", "https://nobody.example")
		},
		func(i int) *http.Request { return g.request(g.url(fmt.Sprint("/nowhere/", i)), nil) },
		func(int) *http.Request { return g.request(g.url("/oidc/logout"), nil) },
		func(int) *http.Request { return g.request(g.url("/oauth/health"), nil) },
	}
	const each = 150
	took := g.flood(each*len(requests), func(i int) *http.Request { return requests[i%len(requests)](i) })
	seconds := int(took/time.Second) + 2
	time.Sleep(2 * time.Second) // what was held back
	for kind, n := range g.linesByKind() {
		t.Logf("%4d %s", n-before[kind], kind)
		if n -= before[kind]; n > 2*(seconds+2) {
			t.Errorf("%d requests in %v wrote %d lines %q", each*len(requests), took.Round(time.Millisecond), n, kind)
		}
	}
	if _, text := g.admin(http.MethodGet, "/metrics"); series(t, text, `caddy_oauth_token_checks_total{verdict="store"}`) < each {
		t.Error("they are not counted")
	}
}

// A site with `handle_errors` goes on to answer by it, and Caddy logs that at DEBUG.
func TestR10HandleErrorsAnswers(t *testing.T) {
	server := redistest.New(t)
	g := startGateway(t, gatewayOptions{
		StoreIn: redisAt(server.Addr),
		API: `bearer_auth {
			audience https://api.example.com
		}
		handle_errors {
			respond "sorry {err.status_code}" {err.status_code}
		}`,
	})
	if resp, body := g.call("/orders", "a.b.c"); resp.StatusCode != http.StatusServiceUnavailable || body != "sorry 503" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	for kind, n := range g.linesByKind() {
		if strings.HasPrefix(kind, "error http.log") {
			t.Errorf("%d %s", n, kind)
		}
	}
}
