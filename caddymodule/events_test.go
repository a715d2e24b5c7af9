package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	logtest "go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

func TestEveryKindHasALevelAndAName(t *testing.T) {
	levels := map[tokens.EventKind]zapcore.Level{
		tokens.EventStoreTrouble:        zapcore.ErrorLevel,
		tokens.EventStoreRollback:       zapcore.ErrorLevel,
		tokens.EventStoreNew:            zapcore.ErrorLevel,
		tokens.EventStoreFailover:       zapcore.WarnLevel,
		tokens.EventBackgroundRecovered: zapcore.ErrorLevel,
		tokens.EventRefreshReuse:        zapcore.WarnLevel,
		tokens.EventCodeReuse:           zapcore.WarnLevel,
		tokens.EventClientCredential:    zapcore.DebugLevel,
	}
	for _, kind := range tokens.EventKinds() {
		want, ok := levels[kind]
		if !ok {
			want = zapcore.InfoLevel
		}
		if got := logLevel(tokens.Event{Kind: kind}); got != want {
			t.Errorf("%s is logged at %s, want %s", kind, got, want)
		}
		if name := string(kind); name != strings.ToLower(name) || strings.ContainsAny(name, " .-") {
			t.Errorf("%q makes no good event name", name)
		}
	}
}

// nobodyListens takes no events.
type nobodyListens struct{}

func (nobodyListens) wants(string) bool          { return false }
func (nobodyListens) emit(floodKey, queuedEvent) {}

func TestLogLineOfADecision(t *testing.T) {
	core, logs := logtest.New(zapcore.DebugLevel)
	o := newObserver(zap.New(core), newMetrics(), nobodyListens{})
	family := tokens.FamilyKey{1}.ID()
	o.logLine(tokens.Event{
		Kind: tokens.EventRefreshReuse, Outcome: "reuse", Client: "my-spa", Subject: "local|alice",
		Family: family, Cause: errors.New("generation 3 of 5"),
	}, request{}, 7)
	entries := logs.All()
	if len(entries) != 1 {
		t.Fatalf("%d log lines, want 1", len(entries))
	}
	if e := entries[0]; e.Message != "refresh_reuse_detected" || e.Level != zapcore.WarnLevel {
		t.Errorf("line %q at %s", e.Message, e.Level)
	}
	want := map[string]any{
		"outcome": "reuse", "client": "my-spa", "subject": "local|alice",
		"family": family.String(), "error": "generation 3 of 5", "left_out": int64(7),
	}
	got := entries[0].ContextMap()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("field %s = %v, want %v", name, got[name], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("fields %v, want %v", got, want)
	}
}

func TestClip(t *testing.T) {
	if got := clip(strings.Repeat("x", 10_000)); len(got) > 600 {
		t.Errorf("a long value takes %d bytes in the log", len(got))
	}
}

// TestEventsAfterTheEnd: a request may outlive its configuration, whose
// subscribers are gone: what it did is counted.
func TestEventsAfterTheEnd(t *testing.T) {
	m := newMetrics()
	e := &emitter{metrics: m, alarms: newAlarmQueue(), queue: make(chan queuedEvent, 2), done: make(chan struct{})}
	e.emit(floodKey{kind: tokens.EventLogin}, queuedEvent{})
	e.close()
	e.emit(floodKey{kind: tokens.EventLogin}, queuedEvent{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.dropped)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if n := families[0].Metric[0].Counter.GetValue(); n != 1 || len(e.queue) != 1 {
		t.Errorf("%v events were dropped and %d are queued, want 1 and 1", n, len(e.queue))
	}
}

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
	recovered := processMetrics.events[tokens.EventBackgroundRecovered]["subscriber"]
	before := counterValue(t, recovered)
	close(block)
	defer func() {
		if got := counterValue(t, recovered) - before; got < 1 { // R12: it is counted
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
