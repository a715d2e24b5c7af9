package spans_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/gatehouse-auth/gatehouse/tokens/spans"
)

// TestUnrecordedCostsNothing: without a trace, or with one that is not recorded,
// nothing is allocated and the context stays as it is.
func TestUnrecordedCostsNothing(t *testing.T) {
	unsampled, root := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())).Tracer("").Start(t.Context(), "root")
	defer root.End()
	fault := errors.New("a fault")
	for name, ctx := range map[string]context.Context{"none": t.Context(), "not sampled": unsampled} {
		n := testing.AllocsPerRun(100, func() {
			inside, span := spans.Begin(ctx, spans.Guard)
			spans.Note(inside, spans.Outcome, "ok")
			spans.Fail(inside, "store")
			spans.Called(inside, "rotate", time.Millisecond, fault)
			span.End()
			if span.Recorded() || inside != ctx {
				t.Fatal("there is a span")
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestSpans: spans lie below the one of the request, and say what was noted of them;
// a note about a span that is not ours is none.
func TestSpans(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	ctx, root := provider.Tracer("").Start(t.Context(), "caddy")
	spans.Note(ctx, spans.Client, "app")
	spans.Fail(ctx, "store")
	inside, span := spans.Begin(ctx, spans.Refresh)
	spans.Note(inside, spans.Outcome, "rotated")
	spans.Note(inside, spans.Grant, "")
	spans.Called(inside, "rotate", time.Second, nil)
	spans.Called(inside, "denials", time.Second, errors.New("secret words"))
	span.End()
	refused, span := spans.Begin(ctx, spans.Guard)
	spans.Fail(refused, "store")
	span.End()
	root.End()

	want := []string{
		"oauth.store.rotate below oauth.refresh [{oauth.outcome ok}] Unset",
		"oauth.store.denials below oauth.refresh [{oauth.outcome failed}] Error",
		"oauth.refresh below caddy [{oauth.outcome rotated}] Unset",
		"oauth.guard below caddy [{oauth.outcome store}] Error",
		"caddy below  [] Unset",
	}
	names := map[string]string{}
	for _, s := range recorder.Ended() {
		names[s.SpanContext().SpanID().String()] = s.Name()
	}
	for i, s := range recorder.Ended() {
		var said []string
		for _, a := range s.Attributes() {
			said = append(said, fmt.Sprintf("{%s %s}", a.Key, a.Value.AsString()))
		}
		if got := fmt.Sprintf("%s below %s %v %s", s.Name(), names[s.Parent().SpanID().String()], said, s.Status().Code); i >= len(want) || got != want[i] {
			t.Errorf("span %d: %s", i, got)
		}
		if s.Status().Description != "" || len(s.Events()) > 0 {
			t.Errorf("%s tells of its error: %q", s.Name(), s.Status().Description)
		}
		if took := s.EndTime().Sub(s.StartTime()); i < 2 && took != time.Second {
			t.Errorf("%s took %v", s.Name(), took)
		}
	}
}
