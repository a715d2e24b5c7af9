package events

import (
	"slices"
	"sync"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// alarms are the kinds of event that somebody should be woken for, or that change
// who is let in. They have a queue of their own, are sent first, and a webhook
// tries them for longer. The set is closed; docs/events.md lists it.
var alarms = []oauth.EventKind{
	oauth.EventRefreshReuse,
	oauth.EventCodeReuse,
	oauth.EventStoreNew,
	oauth.EventStoreRollback,
	oauth.EventStoreFailover,
	oauth.EventClockSkew,
	oauth.EventHealth,
	oauth.EventLoginBroken,
	oauth.EventBackgroundRecovered,
	oauth.EventAdmin,
}

// IsAlarm reports whether somebody should be woken for such an event.
func IsAlarm(kind oauth.EventKind) bool { return slices.Contains(alarms, kind) }

// alarmQueue holds the alarms that wait for their subscribers. The same alarm waits
// once, and says how many it stands for, so that one account cannot fill the queue.
type alarmQueue struct {
	mu      sync.Mutex
	waiting []eventKey // in the order of their arrival
	events  map[eventKey]queuedEvent
	arrived chan struct{}
}

// alarmsWaiting is how many different alarms may wait.
const alarmsWaiting = 1024

func newAlarmQueue() *alarmQueue {
	return &alarmQueue{events: make(map[eventKey]queuedEvent), arrived: make(chan struct{}, 1)}
}

// put reports whether there was room.
func (q *alarmQueue) put(key eventKey, e queuedEvent) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if waiting, ok := q.events[key]; ok {
		waiting.leftOut += 1 + e.leftOut
		q.events[key] = waiting
		return true
	}
	if len(q.waiting) >= alarmsWaiting {
		return false
	}
	q.waiting = append(q.waiting, key)
	q.events[key] = e
	select {
	case q.arrived <- struct{}{}:
	default:
	}
	return true
}

// take returns the alarm that has waited the longest.
func (q *alarmQueue) take() (e queuedEvent, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return e, false
	}
	key := q.waiting[0]
	q.waiting = q.waiting[1:]
	e = q.events[key]
	delete(q.events, key)
	return e, true
}
