package caddymodule

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	logtest "go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

func TestEveryKindHasALevelAndAName(t *testing.T) {
	levels := map[tokens.EventKind]zapcore.Level{
		tokens.EventStoreTrouble:        zapcore.ErrorLevel,
		tokens.EventStoreRollback:       zapcore.ErrorLevel,
		tokens.EventStoreNew:            zapcore.WarnLevel,
		tokens.EventBackgroundRecovered: zapcore.ErrorLevel,
		tokens.EventRefreshReuse:        zapcore.WarnLevel,
		tokens.EventCodeReuse:           zapcore.WarnLevel,
	}
	for _, kind := range eventKinds {
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

func TestLogLineOfADecision(t *testing.T) {
	core, logs := logtest.New(zapcore.DebugLevel)
	o := newObserver(zap.New(core), newMetrics(), nil)
	family := tokens.FamilyKey{1}.ID()
	o.logLine(context.Background(), tokens.Event{
		Kind: tokens.EventRefreshReuse, Outcome: "reuse", Client: "my-spa", Subject: "local|alice",
		Family: family, Cause: errors.New("generation 3 of 5"),
	})
	entries := logs.All()
	if len(entries) != 1 {
		t.Fatalf("%d log lines, want 1", len(entries))
	}
	if e := entries[0]; e.Message != "refresh_reuse_detected" || e.Level != zapcore.WarnLevel {
		t.Errorf("line %q at %s", e.Message, e.Level)
	}
	want := map[string]any{
		"outcome": "reuse", "client": "my-spa", "subject": "local|alice",
		"family": family.String(), "error": "generation 3 of 5",
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

func TestLogIsSampledWhereStrangersWriteIt(t *testing.T) {
	core, logs := logtest.New(zapcore.DebugLevel)
	o := newObserver(zap.New(core), newMetrics(), nil)
	const lines = 1000
	for range lines {
		o.logLine(context.Background(), tokens.Event{Kind: tokens.EventTokenRefused})
		o.logLine(context.Background(), tokens.Event{Kind: tokens.EventRefreshReuse})
	}
	if n := logs.FilterMessage(string(tokens.EventTokenRefused)).Len(); n < 100 || n > lines/4 {
		t.Errorf("%d lines of %d refusals, want few, but some", n, lines)
	}
	if n := logs.FilterMessage(string(tokens.EventRefreshReuse)).Len(); n != lines {
		t.Errorf("%d lines of %d detected reuses, want all", n, lines)
	}
}

func TestClip(t *testing.T) {
	if got := clip(strings.Repeat("x", 10_000)); len(got) > 600 {
		t.Errorf("a long value takes %d bytes in the log", len(got))
	}
}
