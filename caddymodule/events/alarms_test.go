package events

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// A6: the same alarm waits once and says how often it came; other alarms have room.
func TestAlarmsOfOneFillNoQueue(t *testing.T) {
	q := newAlarmQueue()
	bob := eventKey{kind: oauth.EventRefreshReuse, outcome: "reuse", who: 1}
	for range 100_000 {
		if !q.put(bob, queuedEvent{name: "bob", leftOut: 1}) {
			t.Fatal("no room")
		}
	}
	if !q.put(eventKey{kind: oauth.EventRefreshReuse, outcome: "reuse", who: 2}, queuedEvent{name: "alice"}) {
		t.Fatal("no room for alice")
	}
	first, _ := q.take()
	second, _ := q.take()
	if first.name != "bob" || first.leftOut != 2*100_000-1 || second.name != "alice" || second.leftOut != 0 {
		t.Errorf("%+v, %+v", first, second)
	}
	if _, ok := q.take(); ok {
		t.Error("more waits")
	}
	for n := range 2 * alarmsWaiting {
		if ok := q.put(eventKey{who: uint64(n) + 3}, queuedEvent{}); ok != (n < alarmsWaiting) {
			t.Fatalf("alarm %d: room %v", n, ok)
		}
	}
}

// counted fields are numbers in the event, too.
func TestLeftOutIsInTheEvent(t *testing.T) {
	data := eventData(oauth.Event{Kind: oauth.EventLogin, About: "local canary"}, request{})
	if text, err := json.Marshal(data); err != nil || strings.Contains(string(text), "canary") {
		t.Errorf("%s, %v", text, err)
	}
}
