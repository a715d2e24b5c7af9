// Package events tells of the decisions of the authorization server: each is a
// count, and, as far as the rate limiter lets it, a log line and an event for the
// subscribers of Caddy's events app, alarms first.
package events

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Observer is how one configuration tells of the core's decisions: each is a
// count, and a log line and a Caddy event named `oauth.` and the kind, as far as
// the rate limiter lets it.
type Observer struct {
	metrics *Metrics
	log     *zap.Logger
	limiter *limiter
	emitter *Emitter
}

// NewObserver makes an observer that writes to the logger of the app, which carries
// its name. Without an emitter it makes no Caddy events.
func NewObserver(log *zap.Logger, m *Metrics, emitter *Emitter) *Observer {
	return &Observer{
		metrics: m,
		log:     log,
		limiter: newLimiter(func(err error) { m.Recovered(log, oauth.OutcomeEvents, err) }),
		emitter: emitter,
	}
}

// Happened counts, logs and emits one decision.
func (o *Observer) Happened(ctx context.Context, e oauth.Event) {
	o.metrics.happened(e)
	level, name := LogLevel(e), "oauth."+string(e.Kind)
	if !o.log.Core().Enabled(level) && !o.emitter.wants(name) {
		return
	}
	key := o.limiter.keyOf(e)
	o.limiter.tell(key, limitOf(e), func() func(int) {
		where := requestInfo(ctx) // now: the request may be over by then
		return func(leftOut int) {
			o.logLine(e, where, leftOut)
			if o.emitter.wants(name) {
				o.emitter.emit(key, queuedEvent{name: name, data: eventData(e, where), leftOut: leftOut})
			}
		}
	})
}

// logLine writes the log line.
func (o *Observer) logLine(e oauth.Event, where request, leftOut int) {
	if entry := o.log.Check(LogLevel(e), string(e.Kind)); entry != nil {
		fields := eventFields(e, where)
		if leftOut > 0 {
			fields = append(fields, zap.Int("left_out", leftOut))
		}
		entry.Write(fields...)
	}
}

// Close tells what was held back.
func (o *Observer) Close() { o.limiter.flush() }

// Checked counts one verdict of a guarded route.
func (o *Observer) Checked(reason oauth.Reason) { o.metrics.checked(reason) }

// LogLevel says how much an operator should care.
func LogLevel(e oauth.Event) zapcore.Level {
	switch e.Kind {
	case oauth.EventStoreTrouble, oauth.EventBackgroundRecovered, oauth.EventStoreRollback, oauth.EventStoreNew:
		return zapcore.ErrorLevel
	case oauth.EventRefreshReuse, oauth.EventCodeReuse, oauth.EventStoreFailover:
		return zapcore.WarnLevel
	case oauth.EventTokenRefused:
		if e.Outcome == oauth.Outcome(oauth.ReasonStore) {
			return zapcore.ErrorLevel
		}
	case oauth.EventIssuerKeys, oauth.EventClientDocument:
		return fetchLogLevel(e.Outcome)
	case oauth.EventClientCredential:
		return zapcore.DebugLevel // it is counted
	case oauth.EventClockSkew, oauth.EventHealth, oauth.EventLoginBroken: // and when it is over
		if e.Cause != nil {
			return zapcore.ErrorLevel
		}
	case oauth.EventRecheck:
		switch e.Outcome {
		case oauth.OutcomeKept:
			return zapcore.DebugLevel // it is counted
		case oauth.OutcomeUnclear, oauth.OutcomeThin, oauth.OutcomeDoubtful, oauth.OutcomeSkipped, oauth.OutcomeOverdue:
			return zapcore.WarnLevel
		default:
		}
	case oauth.EventLogoutSent:
		if e.Outcome != oauth.OutcomeOK {
			return zapcore.WarnLevel
		}
	case oauth.EventTokenIssued, oauth.EventRefresh, oauth.EventFamilyEvicted,
		oauth.EventCodeIssued, oauth.EventDevice, oauth.EventRevoked, oauth.EventLogin, oauth.EventLogout, oauth.EventClientAuth, oauth.EventClientRegistered, oauth.EventIntrospectionRefused, oauth.EventConsent, oauth.EventSiteSession,
		oauth.EventRequestRefused, oauth.EventAccessRefused, oauth.EventStreamEnded, oauth.EventKeyRotated, oauth.EventSecretFallback, oauth.EventAdmin:
	}
	return zapcore.InfoLevel
}

// fetchLogLevel says how much an operator should care about the keys of another issuer, or the
// metadata of a client. Both have the words unchanged, unreachable, refused and not_kept.
func fetchLogLevel(outcome oauth.Outcome) zapcore.Level {
	switch outcome {
	case oauth.KeysUnchanged:
		return zapcore.DebugLevel
	case oauth.KeysUnreachable, oauth.KeysRefused, oauth.KeysNotKept, oauth.DocumentGone:
		return zapcore.WarnLevel
	case oauth.KeysStale:
		return zapcore.ErrorLevel
	default:
		return zapcore.InfoLevel
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

// RequestID returns the ID of the HTTP request, "" where there is none.
func RequestID(ctx context.Context) string { return requestInfo(ctx).id }

// eventTexts are what is told of a decision, in the log and to subscribers. Subjects
// are in it on purpose: it is the audit log. `user` is the hash of the subject, which
// decisions carry that know no more. Secrets, codes and tokens never reach an Event.
func eventTexts(e oauth.Event, where request) [][2]string {
	var user, family, cause string
	if e.User != (storage.UserTag{}) {
		user = e.User.String()
	}
	if e.Family != (storage.FamilyID{}) {
		family = e.Family.String()
	}
	if e.Cause != nil {
		cause = e.Cause.Error()
	}
	texts := [][2]string{
		{"outcome", string(e.Outcome)},
		{"grant_type", string(e.GrantType)},
		{"client", e.Client},
		{"subject", e.Subject},
		{"new_subject", e.NewSubject},
		{"user", user},
		{"family", family},
		{"issuer", e.Issuer},
		{"login", e.Login},
		{"client_ip", where.clientIP},
		{"request_id", where.id},
		{"api", e.API},
		{"endpoint", e.Endpoint},
		{"error", cause},
	}
	if m := e.Mismatch; m != nil {
		texts = append(texts, [2]string{"sent", oauth.Printable(m.Sent)}, [2]string{"registered", clip(strings.Join(m.Registered, " "))}, [2]string{"option", m.Option})
	}
	return texts
}

// eventFields are the fields of the log line.
func eventFields(e oauth.Event, where request) []zap.Field {
	fields := make([]zap.Field, 0, 10)
	for _, text := range eventTexts(e, where) {
		if text[1] != "" {
			fields = append(fields, zap.String(text[0], clip(text[1])))
		}
	}
	return fields
}

// eventData is what subscribers see as {event.data.*}. What most events have is
// always there.
func eventData(e oauth.Event, where request) map[string]any {
	data := make(map[string]any)
	for _, text := range eventTexts(e, where) {
		switch text[0] {
		case "user", "family", "issuer", "login", "new_subject", "api", "endpoint", "error", "sent", "registered", "option":
			if text[1] == "" {
				continue
			}
		}
		data[text[0]] = text[1]
	}
	return data
}

// clip bounds a value in the log. Logs are JSON, so nothing in it can forge a line.
func clip(s string) string {
	const limit = 512
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}

// SharedObserver is the observer of shared state: it passes on to that of the
// newest configuration.
type SharedObserver struct {
	to   atomic.Pointer[Observer]
	mu   sync.Mutex
	live []*Observer // of the configurations, the newest last
}

// Enter makes the observer of a configuration the newest.
func (s *SharedObserver) Enter(o *Observer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = append(s.live, o)
	s.to.Store(o)
}

// Leave takes it back. Where none is left, the last goes on hearing.
func (s *SharedObserver) Leave(o *Observer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.live, o); i >= 0 {
		s.live = slices.Delete(s.live, i, i+1)
	}
	if n := len(s.live); n > 0 {
		s.to.Store(s.live[n-1])
	}
}

// Happened passes on a decision.
func (s *SharedObserver) Happened(ctx context.Context, e oauth.Event) {
	if o := s.to.Load(); o != nil {
		o.Happened(ctx, e)
	}
}

// Checked passes on a verdict.
func (s *SharedObserver) Checked(reason oauth.Reason) {
	if o := s.to.Load(); o != nil {
		o.Checked(reason)
	}
}

// Interface guards
var (
	_ oauth.Observer = (*Observer)(nil)
	_ oauth.Observer = (*SharedObserver)(nil)
)
