package events

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	logtest "go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func TestEveryKindHasALevelAndAName(t *testing.T) {
	levels := map[oauth.EventKind]zapcore.Level{
		oauth.EventStoreTrouble:        zapcore.ErrorLevel,
		oauth.EventStoreRollback:       zapcore.ErrorLevel,
		oauth.EventStoreNew:            zapcore.ErrorLevel,
		oauth.EventStoreFailover:       zapcore.WarnLevel,
		oauth.EventBackgroundRecovered: zapcore.ErrorLevel,
		oauth.EventRefreshReuse:        zapcore.WarnLevel,
		oauth.EventCodeReuse:           zapcore.WarnLevel,
		oauth.EventLogoutSent:          zapcore.WarnLevel,
		oauth.EventClientCredential:    zapcore.DebugLevel,
	}
	for _, kind := range oauth.EventKinds() {
		want, ok := levels[kind]
		if !ok {
			want = zapcore.InfoLevel
		}
		if got := LogLevel(oauth.Event{Kind: kind}); got != want {
			t.Errorf("%s is logged at %s, want %s", kind, got, want)
		}
		if name := string(kind); name != strings.ToLower(name) || strings.ContainsAny(name, " .-") {
			t.Errorf("%q makes no good event name", name)
		}
	}
}

func TestLogLineOfADecision(t *testing.T) {
	core, logs := logtest.New(zapcore.DebugLevel)
	o := NewObserver(zap.New(core), NewMetrics(), nil)
	family := storage.FamilyKey{1}.ID()
	o.logLine(oauth.Event{
		Kind: oauth.EventRefreshReuse, Outcome: "reuse", Client: "my-spa", Subject: "local|alice",
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
	m := NewMetrics()
	e := &Emitter{metrics: m, alarms: newAlarmQueue(), queue: make(chan queuedEvent, 2), done: make(chan struct{})}
	e.emit(eventKey{kind: oauth.EventLogin}, queuedEvent{})
	e.Close()
	e.emit(eventKey{kind: oauth.EventLogin}, queuedEvent{})
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
