package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// subscriber hears of events in the tests.
type subscriber struct{}

// heard gets the events of the running gateway; block holds the subscriber up.
var heard, block = make(chan caddy.Event, 10_000), make(chan struct{})

func init() { caddy.RegisterModule(subscriber{}) }

func (subscriber) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.test_subscriber", New: func() caddy.Module { return new(subscriber) }}
}

func (subscriber) Handle(_ context.Context, e caddy.Event) error {
	if e.Data["outcome"] == "bad_secret" {
		<-block
		panic("a bad subscriber")
	}
	heard <- e
	return nil
}

// subscribe adds a subscriber of all events to a configuration.
func subscribe(t *testing.T, config []byte) []byte {
	t.Helper()
	var c map[string]any
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	c["apps"].(map[string]any)["events"] = map[string]any{"subscriptions": []any{map[string]any{
		"modules": []string{"oauth"}, "handlers": []any{map[string]any{"handler": "test_subscriber"}},
	}}}
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestEventsReachSubscribers(t *testing.T) {
	g := newGateway(t)
	t.Cleanup(func() { _ = caddy.Stop() })
	if err := caddy.Load(subscribe(t, g.config(gatewayOptions{Client: "refresh_token {\n leeway 0s\n}"})), true); err != nil {
		t.Fatal(err)
	}
	session := g.login()
	g.refresh(session.RefreshToken)
	g.refresh(session.RefreshToken)
	missing := map[string]bool{
		"oauth.key_rotated": true, // before Caddy had started
		"oauth.login":       true, "oauth.code_issued": true, "oauth.token_issued": true,
		"oauth.refresh": true, "oauth.refresh_reuse_detected": true, "oauth.token_refused": true,
	}
	late := time.After(20 * time.Second)
	for len(missing) > 0 {
		select {
		case e := <-heard:
			delete(missing, e.Name())
			if e.Name() == "oauth.refresh_reuse_detected" && (e.Data["client"] != "my-spa" || e.Data["family"] == "" || e.Data["request_id"] == "") {
				t.Errorf("event %v", e.Data)
			}
		case <-late:
			t.Fatalf("not heard of: %v", missing)
		}
	}

	// A subscriber that hangs, and then panics, holds up nobody.
	wrong := map[string][]string{"grant_type": {"client_credentials"}, "client_id": {"worker"}, "client_secret": {"wrong"}}
	if answer := g.token(wrong); answer.Error != "invalid_client" {
		t.Fatalf("%d %s", answer.status, answer.body)
	}
	g.login()
	recovered := func() float64 {
		_, text := g.admin(http.MethodGet, "/metrics")
		return series(t, text, `caddy_oauth_events_total{event="background_recovered",outcome="subscriber"}`)
	}
	before := recovered()
	close(block)
	defer func() {
		if got := recovered() - before; got < 1 { // R12: it is counted
			t.Errorf("%v panics of the subscriber were counted", got)
		}
	}()
	for {
		select {
		case e := <-heard:
			if e.Name() == "oauth.login" {
				return
			}
		case <-late:
			t.Fatal("no event after the panic of a subscriber")
		}
	}
}
