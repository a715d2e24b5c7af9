package caddymodule

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestEventsAreDocumented holds docs/events.md to the code: every kind with its
// outcomes and its level, every reason, and nothing else.
func TestEventsAreDocumented(t *testing.T) {
	text := page(t, "events.md")
	documented := make(map[oauth.EventKind]bool)
	for _, row := range rows(text, "`oauth.") {
		kind := oauth.EventKind(strings.TrimPrefix(allQuoted(row[0])[0], "oauth."))
		documented[kind] = true
		names := allQuoted(row[1])
		if strings.Contains(row[1], "*reason*") {
			names = append(names, texts(oauth.Reasons)...)
		}
		want := kind.Outcomes()
		if !slices.Equal(texts(names), texts(want)) {
			t.Errorf("%s: the page has the outcomes %v, the code %v", kind, names, want)
		}
		for _, outcome := range append(slices.Clone(want), "other") {
			e := oauth.Event{Kind: kind, Outcome: outcome}
			if level := levelOn(row[2], string(outcome)); outcome != "other" && events.LogLevel(withCause(e)) != level {
				t.Errorf("%s, %s: logged at %s, the page has %s", kind, outcome, events.LogLevel(withCause(e)), level)
			}
		}
	}
	for _, kind := range oauth.EventKinds() {
		if !documented[kind] {
			t.Errorf("%s is not documented", kind)
		}
		delete(documented, kind)
	}
	for kind := range documented {
		t.Errorf("%s is documented, but no event", kind)
	}
	_, list, _ := strings.Cut(text, "\n### Reasons\n")
	list, _, _ = strings.Cut(list, "\n## ")
	var explained []string
	for _, row := range rows(list, "`") {
		explained = append(explained, allQuoted(row[0])...)
	}
	if !slices.Equal(texts(explained), texts(oauth.Reasons)) {
		t.Errorf("the page explains the reasons %v, there are %v", explained, oauth.Reasons)
	}
}

// withCause adds the cause that such an outcome has.
func withCause(e oauth.Event) oauth.Event {
	switch e.Outcome {
	case oauth.OutcomeOK, oauth.ClockAgrees:
	default:
		e.Cause = http.ErrAbortHandler
	}
	return e
}

// levelOn reads a cell such as "error; info for `ok`".
func levelOn(cell, outcome string) zapcore.Level {
	level, rest, _ := strings.Cut(strings.ReplaceAll(cell, ",", ";"), ";")
	for part := range strings.SplitSeq(level+";"+rest, ";") {
		name, which, some := strings.Cut(strings.TrimSpace(part), " for ")
		if some && slices.Contains(allQuoted(which), outcome) || !some && level == part {
			level = name
		}
	}
	parsed, err := zapcore.ParseLevel(strings.TrimSpace(level))
	if err != nil {
		return zapcore.InvalidLevel
	}
	return parsed
}

// alarms are known kinds, and are written as such in the docs.
func TestAlarmsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(page), "### Alarms")
	list, _, _ = strings.Cut(list, "\n#")
	if !ok {
		t.Fatal("docs/events.md has no list of alarms")
	}
	for _, kind := range oauth.EventKinds() {
		if got := strings.Contains(list, "`"+string(kind)+"`"); got != events.IsAlarm(kind) {
			t.Errorf("%s: in the list of alarms in docs/events.md: %v, want %v", kind, got, events.IsAlarm(kind))
		}
	}
}
