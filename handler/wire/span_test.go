package wire_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/spans"
)

// TestInSpan: what a guard changes of a request within its span is changed of the
// request that goes on, which belongs to the trace that it came with.
func TestInSpan(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	ctx, root := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("").Start(t.Context(), "caddy")
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	func() {
		inside, done := wire.InSpan(r, spans.Guard)
		defer done()
		inside.Trailer = http.Header{"X-Clean": nil}
		inside.Body = nil
		wire.NoteVerdict(inside, oauth.ReasonStore, "app")
	}()
	if _, kept := r.Trailer["X-Clean"]; !kept || r.Body != nil {
		t.Error("what was changed within the span is lost")
	}
	if r.Context() != ctx {
		t.Error("the request goes on within the span")
	}
	root.End()
	if ended := recorder.Ended(); len(ended) != 2 || ended[0].Name() != "oauth.guard" || len(ended[0].Attributes()) != 2 {
		t.Errorf("spans: %v", ended)
	}
}
