package caddymodule

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// observer is how one configuration tells of the core's decisions: a count, a
// log line, and a Caddy event named `oauth.` and the kind.
type observer struct {
	metrics *metrics
	log     *zap.Logger // one line per decision
	sampled *zap.Logger // for what strangers or an outage can cause without end
	emit    emitFunc
}

// emitFunc hands on a decision. It asks where that was made only if somebody
// wants to know.
type emitFunc func(name string, e tokens.Event, where func() request)

// newObserver writes to the logger of the app, which carries its name.
func newObserver(log *zap.Logger, m *metrics, emit emitFunc) *observer {
	return &observer{
		metrics: m,
		log:     log,
		sampled: log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
			return zapcore.NewSamplerWithOptions(c, time.Second, 100, 100)
		})),
		emit: emit,
	}
}

// Happened counts, logs and emits one decision.
func (o *observer) Happened(ctx context.Context, e tokens.Event) {
	o.metrics.happened(e)
	where := sync.OnceValue(func() request { return requestInfo(ctx) })
	o.logLine(e, where)
	o.emit("oauth."+string(e.Kind), e, where)
}

// logLine writes the log line.
func (o *observer) logLine(e tokens.Event, where func() request) {
	log := o.log
	if floods(e.Kind) {
		log = o.sampled
	}
	if entry := log.Check(logLevel(e), string(e.Kind)); entry != nil {
		entry.Write(eventFields(e, where())...)
	}
}

// Checked counts one verdict of a guarded route.
func (o *observer) Checked(reason tokens.Reason) { o.metrics.checked(reason) }

// logLevel says how much an operator should care.
func logLevel(e tokens.Event) zapcore.Level {
	switch e.Kind {
	case tokens.EventStoreTrouble, tokens.EventBackgroundRecovered, tokens.EventStoreRollback, tokens.EventStoreNew:
		return zapcore.ErrorLevel
	case tokens.EventRefreshReuse, tokens.EventCodeReuse, tokens.EventStoreFailover:
		return zapcore.WarnLevel
	case tokens.EventTokenRefused:
		if e.Outcome == string(tokens.ReasonStore) {
			return zapcore.ErrorLevel
		}
	case tokens.EventIssuerKeys:
		return keysLogLevel(e.Outcome)
	case tokens.EventClientCredential:
		return zapcore.DebugLevel // it is counted
	case tokens.EventClockSkew, tokens.EventHealth: // and when it is over
		if e.Cause != nil {
			return zapcore.ErrorLevel
		}
	case tokens.EventTokenIssued, tokens.EventRefresh, tokens.EventFamilyEvicted,
		tokens.EventCodeIssued, tokens.EventDevice, tokens.EventRevoked, tokens.EventLogin, tokens.EventLogout, tokens.EventClientAuth,
		tokens.EventKeyRotated, tokens.EventSecretFallback, tokens.EventAdmin:
	}
	return zapcore.InfoLevel
}

// keysLogLevel says how much an operator should care about the keys of another issuer.
func keysLogLevel(outcome string) zapcore.Level {
	switch outcome {
	case tokens.KeysUnchanged:
		return zapcore.DebugLevel
	case tokens.KeysUnreachable, tokens.KeysRefused:
		return zapcore.WarnLevel
	case tokens.KeysStale:
		return zapcore.ErrorLevel
	}
	return zapcore.InfoLevel
}

// floods reports whether a kind can be caused without end from outside, so
// that its log lines are sampled: the first 100 of each second, then each 100th.
func floods(k tokens.EventKind) bool {
	switch k {
	case tokens.EventTokenRefused, tokens.EventClientAuth, tokens.EventStoreTrouble, tokens.EventSecretFallback, tokens.EventClientCredential:
		return true
	default:
		return false
	}
}

// request is where a decision was made.
type request struct {
	id       string // {http.request.uuid}
	clientIP string
}

// requestInfo finds the HTTP request that a decision belongs to; background
// work has none.
func requestInfo(ctx context.Context) request {
	var info request
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return info
	}
	if _, ok := ctx.Value(caddyhttp.VarsCtxKey).(map[string]any); !ok {
		return info
	}
	info.id, _ = repl.GetString("http.request.uuid")
	info.clientIP, _ = caddyhttp.GetVar(ctx, caddyhttp.ClientIPVarKey).(string)
	return info
}

// eventFields are the fields of the log line. Subjects are in it on purpose:
// it is the audit log. `user` is the hash of the subject, which decisions carry
// that know no more. Secrets, codes and tokens never reach an Event.
func eventFields(e tokens.Event, where request) []zap.Field {
	fields := make([]zap.Field, 0, 10)
	text := func(name, value string) {
		if value != "" {
			fields = append(fields, zap.String(name, clip(value)))
		}
	}
	text("outcome", e.Outcome)
	text("grant_type", string(e.GrantType))
	text("client", e.Client)
	text("subject", e.Subject)
	if e.User != (tokens.UserTag{}) {
		text("user", e.User.String())
	}
	if e.Family != (tokens.FamilyID{}) {
		text("family", e.Family.String())
	}
	text("issuer", e.Issuer)
	text("client_ip", where.clientIP)
	text("request_id", where.id)
	if e.Cause != nil {
		text("error", e.Cause.Error())
	}
	return fields
}

// clip bounds a value in the log. Logs are JSON, so nothing in it can forge a line.
func clip(s string) string {
	const limit = 512
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}

// emitter hands decisions to Caddy's events app. Subscribers run in a goroutine
// of their own, since a slow one must not hold up a token request; beyond the
// queue events are dropped and counted.
//
// Until all apps have started, subscriptions may still be added, unguarded, so
// the events app is not asked before Caddy says `started`.
type emitter struct {
	ctx     caddy.Context // of the app, which is the origin of the events
	app     *caddyevents.App
	metrics *metrics
	log     *zap.Logger
	queue   chan queuedEvent
	done    chan struct{}
	started atomic.Bool
	stop    sync.Once
}

type queuedEvent struct {
	name string
	data map[string]any
}

const eventQueue = 1024

func newEmitter(ctx caddy.Context, metrics *metrics, log *zap.Logger) (*emitter, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, fmt.Errorf("getting events app: %w", err)
	}
	events := app.(*caddyevents.App)
	if err := checkSubscriptions(events.Subscriptions); err != nil {
		return nil, err
	}
	m := &emitter{
		ctx:     ctx,
		app:     events,
		metrics: metrics,
		log:     log,
		queue:   make(chan queuedEvent, eventQueue),
		done:    make(chan struct{}),
	}
	return m, m.app.On("started", m)
}

// Handle begins to deliver when Caddy has started all apps.
func (m *emitter) Handle(context.Context, caddy.Event) error {
	if m.started.CompareAndSwap(false, true) {
		go m.run()
	}
	return nil
}

// close stops delivering; what is still queued is dropped with the configuration.
func (m *emitter) close() { m.stop.Do(func() { close(m.done) }) }

// emit queues an event if anybody listens, or may yet.
func (m *emitter) emit(name string, e tokens.Event, where func() request) {
	if m.started.Load() && !m.app.ShouldEmit(name) {
		return
	}
	select {
	case <-m.done: // a request has outlived its configuration
		m.metrics.dropped.Inc()
		return
	default:
	}
	select {
	case m.queue <- queuedEvent{name: name, data: eventData(e, where())}:
	default:
		m.metrics.dropped.Inc()
	}
}

func (m *emitter) run() {
	for {
		select {
		case <-m.done:
			return
		case e := <-m.queue:
			m.deliver(e)
		}
	}
}

// deliver runs the subscribers. A panic of one would end the whole of Caddy.
func (m *emitter) deliver(e queuedEvent) {
	defer func() {
		if r := recover(); r != nil {
			m.log.Error("panic in a subscriber of an event", zap.String("event", e.name), zap.Any("panic", r))
		}
	}()
	m.app.Emit(m.ctx, e.name, e.data)
}

// eventData is what subscribers see as {event.data.*}.
func eventData(e tokens.Event, where request) map[string]any {
	data := map[string]any{
		"outcome":    e.Outcome,
		"grant_type": string(e.GrantType),
		"client":     e.Client,
		"subject":    e.Subject,
		"client_ip":  where.clientIP,
		"request_id": where.id,
	}
	if e.User != (tokens.UserTag{}) {
		data["user"] = e.User.String()
	}
	if e.Family != (tokens.FamilyID{}) {
		data["family"] = e.Family.String()
	}
	if e.Issuer != "" {
		data["issuer"] = e.Issuer
	}
	if e.Cause != nil {
		data["error"] = e.Cause.Error()
	}
	return data
}

// sharedObserver is the observer of shared state: it passes on to that of the
// newest configuration.
type sharedObserver struct{ to atomic.Pointer[observer] }

// Happened passes on a decision.
func (s *sharedObserver) Happened(ctx context.Context, e tokens.Event) {
	if o := s.to.Load(); o != nil {
		o.Happened(ctx, e)
	}
}

// Checked passes on a verdict.
func (s *sharedObserver) Checked(reason tokens.Reason) {
	if o := s.to.Load(); o != nil {
		o.Checked(reason)
	}
}

// Interface guards
var (
	_ tokens.Observer     = (*observer)(nil)
	_ tokens.Observer     = (*sharedObserver)(nil)
	_ caddyevents.Handler = (*emitter)(nil)
)
