// Package spans makes the spans of OpenTelemetry traces: of token requests, of
// decisions about refresh tokens, of guarded routes and of the calls of the store.
// They belong to the trace that the context of a request carries. Where it carries
// none, or one that is not recorded, they cost nothing.
package spans

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Name is that of a span. The set is closed, but for the operations of the store,
// whose own set is closed.
type Name string

// The names.
const (
	Token   Name = "oauth.token"   // a request to the token endpoint, or to the one for refresh cookies
	Refresh Name = "oauth.refresh" // what the store is asked about a refresh token, or about the session of a site
	Guard   Name = "oauth.guard"   // the check of a request to a guarded route or site
	// store leads the names of the store's operations: oauth.store.rotate.
	store = "oauth.store."
)

// Attribute is what a span says. The set is closed, and none of them is a token, a
// code, a secret or a person.
type Attribute string

// The attributes.
const (
	Outcome Attribute = "oauth.outcome" // as in the metrics and events: ok, rotated, or a reason
	Grant   Attribute = "oauth.grant"   // the grant type
	Client  Attribute = "oauth.client"  // the client_id, of a client that is known
)

// The outcomes of a call of the store.
const (
	done   = "ok"
	failed = "failed"
)

// scope names who makes the spans. See OpenTelemetry, "Instrumentation Scope".
const scope = "github.com/gatehouse-auth/gatehouse"

// Span is one that is being recorded. The zero value is none, on which nothing has an effect.
type Span struct{ recorded trace.Span }

// ours marks the spans of this package in a context.
type ours struct{ trace.Span }

// Begin begins a span below the one that the context carries, if that is recorded, and
// returns a context that carries the new one. End has to be called.
func Begin(ctx context.Context, name Name) (context.Context, Span) {
	above := trace.SpanFromContext(ctx)
	if !above.IsRecording() {
		return ctx, Span{}
	}
	ctx, span := above.TracerProvider().Tracer(scope).Start(ctx, string(name))
	return trace.ContextWithSpan(ctx, ours{span}), Span{span}
}

// Recorded reports whether there is a span.
func (s Span) Recorded() bool { return s.recorded != nil }

// Inside reports whether the context carries a span that Begin has begun.
func Inside(ctx context.Context) bool {
	_, ok := trace.SpanFromContext(ctx).(ours)
	return ok
}

// End ends the span.
func (s Span) End() {
	if s.recorded != nil {
		s.recorded.End()
	}
}

// Note says something of the span that the context carries, if Begin has begun it. A
// value that is empty says nothing.
func Note[V ~string](ctx context.Context, what Attribute, value V) {
	span, ok := trace.SpanFromContext(ctx).(ours)
	if !ok || value == "" {
		return
	}
	span.SetAttributes(attribute.String(string(what), string(value)))
}

// Fail says of the span that the context carries, if Begin has begun it, that there was
// no answer, since the store was away, say. A refusal is no failure.
func Fail[V ~string](ctx context.Context, outcome V) {
	if span, ok := trace.SpanFromContext(ctx).(ours); ok {
		span.SetStatus(codes.Error, "")
		Note(ctx, Outcome, outcome)
	}
}

// Called records a call of the store that has just ended: its operation, how long it
// took and whether it has failed. What the error says is not part of it.
func Called(ctx context.Context, op string, took time.Duration, err error) {
	above := trace.SpanFromContext(ctx)
	if !above.IsRecording() {
		return
	}
	now := time.Now()
	_, span := above.TracerProvider().Tracer(scope).Start(ctx, string(store)+op, trace.WithTimestamp(now.Add(-took)))
	outcome := done
	if err != nil {
		outcome = failed
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attribute.String(string(Outcome), outcome))
	span.End(trace.WithTimestamp(now))
}
