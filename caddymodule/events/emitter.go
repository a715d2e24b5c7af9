package events

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Emitter hands decisions to Caddy's events app, which runs subscribers in the
// goroutine that emits. Here those are two of their own, one for alarms and one for
// all else: a slow subscriber holds up no token request, and no flood an alarm.
// What finds its queue full is dropped and counted.
//
// Until all apps have started, subscriptions may still be added, unguarded, so
// the events app is not asked before Caddy says `started`.
type Emitter struct {
	ctx     caddy.Context // of the app, which is the origin of the events
	app     *caddyevents.App
	metrics *Metrics
	log     *zap.Logger
	alarms  *alarmQueue
	queue   chan queuedEvent // all else
	done    chan struct{}
	started atomic.Bool
	stop    sync.Once
}

type queuedEvent struct {
	name    string
	data    map[string]any
	leftOut int // how many of the same it stands for, itself aside
}

const eventQueue = 1024

// NewEmitter makes the emitter of one configuration, whose context ctx is. It
// refuses subscriptions to events of ours that there are not.
func NewEmitter(ctx caddy.Context, metrics *Metrics, log *zap.Logger) (*Emitter, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, fmt.Errorf("getting events app: %w", err)
	}
	events := app.(*caddyevents.App)
	if err := checkSubscriptions(events.Subscriptions); err != nil {
		return nil, err
	}
	m := &Emitter{
		ctx:     ctx,
		app:     events,
		metrics: metrics,
		log:     log,
		alarms:  newAlarmQueue(),
		queue:   make(chan queuedEvent, eventQueue),
		done:    make(chan struct{}),
	}
	return m, m.app.On("started", m)
}

// Handle begins to deliver when Caddy has started all apps.
func (m *Emitter) Handle(context.Context, caddy.Event) error {
	if m.started.CompareAndSwap(false, true) {
		go background.Keep(m.ctx, m.recovered, m.runAlarms)
		go background.Keep(m.ctx, m.recovered, m.run)
	}
	return nil
}

// Delivers reports whether Caddy has started all apps.
func (m *Emitter) Delivers() bool { return m.started.Load() }

// recovered tells of a panic of our own.
func (m *Emitter) recovered(err error) { m.metrics.Recovered(m.log, oauth.OutcomeEvents, err) }

// Close stops delivering; what is still queued is dropped with the configuration.
func (m *Emitter) Close() { m.stop.Do(func() { close(m.done) }) }

// wants reports whether anybody listens, or may yet. A nil m has no listeners.
func (m *Emitter) wants(name string) bool {
	return m != nil && (!m.started.Load() || m.app.ShouldEmit(name))
}

// emit queues an event.
func (m *Emitter) emit(key eventKey, e queuedEvent) {
	select {
	case <-m.done: // a request has outlived its configuration
		m.metrics.EventDropped()
		return
	default:
	}
	if IsAlarm(key.kind) {
		if !m.alarms.put(key, e) {
			m.metrics.EventDropped()
		}
		return
	}
	select {
	case m.queue <- e:
	default:
		m.metrics.EventDropped()
	}
}

func (m *Emitter) run(context.Context) {
	for {
		select {
		case <-m.done:
			return
		case e := <-m.queue:
			m.deliver(e)
		}
	}
}

func (m *Emitter) runAlarms(context.Context) {
	for {
		select {
		case <-m.done:
			return
		case <-m.alarms.arrived:
			for e, ok := m.alarms.take(); ok; e, ok = m.alarms.take() {
				m.deliver(e)
			}
		}
	}
}

// deliver runs the subscribers, whose panics end here.
func (m *Emitter) deliver(e queuedEvent) {
	if e.leftOut > 0 {
		e.data["left_out"] = e.leftOut
	}
	err := background.Try(func() error { m.app.Emit(m.ctx, e.name, e.data); return nil })
	if err != nil {
		m.metrics.Recovered(m.log, oauth.OutcomeSubscriber, fmt.Errorf("panic in a subscriber of %s: %w", e.name, err))
	}
}

// Interface guards
var _ caddyevents.Handler = (*Emitter)(nil)
