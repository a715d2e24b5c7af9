package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// hooked is what a webhook was sent.
type hooked struct {
	contentType, authorization string
	event                      struct {
		Type string            `json:"type"`
		Data map[string]string `json:"data"`
	}
}

// hook is the place that events are posted to.
type hook struct {
	*httptest.Server

	pause time.Duration // before each answer

	mu       sync.Mutex
	statuses []int // of the next answers; then 204
	got      []hooked
}

func newHook(t *testing.T, statuses ...int) *hook {
	t.Helper()
	h := &hook{statuses: statuses}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(h.pause)
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.statuses) > 0 {
			w.WriteHeader(h.statuses[0])
			h.statuses = h.statuses[1:]
			return
		}
		got := hooked{contentType: r.Header.Get("Content-Type"), authorization: r.Header.Get("Authorization")}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &got.event)
		}
		if err != nil {
			t.Error(err)
		}
		h.got = append(h.got, got)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) received() []hooked {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got
}

// reuse makes a refresh token come twice, the second time too late.
func (g *gateway) reuse() {
	g.t.Helper()
	stale := g.login().RefreshToken
	next := g.refresh(stale)
	if next.RefreshToken == "" || g.refresh(next.RefreshToken).RefreshToken == "" {
		g.t.Fatal("the rotations failed")
	}
	if answer := g.refresh(stale); answer.status != http.StatusBadRequest {
		g.t.Fatalf("an old token: %d %s", answer.status, answer.body)
	}
}

// A reuse reaches the webhook, after a failure, with all that an operator needs to ask on.
func TestWebhook(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ALERT", "Bearer canary-of-the-hook")
	h := newHook(t, http.StatusBadGateway)
	g := startGateway(t, gatewayOptions{Global: `events {
		on oauth.refresh_reuse_detected oauth_webhook ` + h.URL + `/canary-path {
			authorization {env.GATEHOUSE_TEST_ALERT}
		}
	}`})
	g.reuse()
	eventually(t, "the webhook", func() bool { return len(h.received()) > 0 })
	got := h.received()[0]
	if got.contentType != "application/cloudevents+json" || got.authorization != "Bearer canary-of-the-hook" {
		t.Errorf("headers %q %q", got.contentType, got.authorization)
	}
	data := got.event.Data
	if got.event.Type != "oauth.refresh_reuse_detected" || data["client"] != "my-spa" || data["family"] == "" || data["user"] == "" || data["request_id"] == "" {
		t.Errorf("event %+v", got.event)
	}
	if logs := g.logs(); strings.Contains(logs, "canary-of-the-hook") {
		t.Error("the log tells the hook's secret")
	}
}

// What cannot be delivered is logged, without the address: it may be a secret.
func TestWebhookThatFails(t *testing.T) {
	h := newHook(t, http.StatusFound, http.StatusInternalServerError, http.StatusForbidden)
	g := startGateway(t, gatewayOptions{Global: `events {
		on oauth.logout oauth_webhook ` + h.URL + `/canary-path
		on oauth.login oauth_webhook ` + h.URL + `/canary-path
	}`})
	g.login()
	eventually(t, "the log line", func() bool { return strings.Contains(g.logs(), "it was answered with status 403") })
	for line := range strings.Lines(g.logs()) {
		if strings.Contains(line, "answered with status") && strings.Contains(line, "canary-path") {
			t.Errorf("the line names the address: %s", line)
		}
	}
	if got := h.received(); len(got) != 0 {
		t.Errorf("received %+v", got)
	}
}

func TestWebhookNeedsItsPlaceholders(t *testing.T) {
	g := newGateway(t)
	err := validateConfig(t, g.config(gatewayOptions{Global: "events {\n on oauth.login oauth_webhook {env.GATEHOUSE_TEST_UNSET}\n}"}))
	if err == nil || !strings.Contains(err.Error(), "{env.GATEHOUSE_TEST_UNSET} is not set") {
		t.Errorf("error %v", err)
	}
}

// A6: a thousand wrong logins a second while a stolen refresh token is replayed:
// the alarm reaches the webhook, which is slow.
func TestA6AlarmInAFlood(t *testing.T) {
	h := newHook(t)
	h.pause = 200 * time.Millisecond
	g := startGateway(t, gatewayOptions{Global: `events {
		on oauth.login oauth_webhook ` + h.URL + `
		on oauth.token_refused oauth_webhook ` + h.URL + `
		on oauth.refresh_reuse_detected oauth_webhook ` + h.URL + `
	}`})
	active, err := caddy.ActiveContext().AppIfConfigured("oauth")
	if err != nil {
		t.Fatal(err)
	}
	app := active.(*App)
	flooding, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			for n := 0; flooding.Err() == nil; n++ { // faster than any login
				app.observer.Happened(flooding, oauth.Event{Kind: oauth.EventLogin, Outcome: "failed", About: fmt.Sprint(n)})
				app.observer.Happened(flooding, oauth.Event{Kind: oauth.EventTokenRefused, Outcome: "bad_mac", Client: "my-spa"})
				if n%100 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	g.reuse()
	eventually(t, "the alarm", func() bool {
		for _, got := range h.received() {
			if got.event.Type == "oauth.refresh_reuse_detected" {
				return true
			}
		}
		return false
	})
	stop()
	running.Wait()
}
