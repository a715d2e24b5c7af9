package site_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// TestSpans: within a trace the check of a site is a span that says what became of the
// request, and what the store was asked lies below it.
func TestSpans(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	b.signIn(wiki+"/", "alice").wants(t, http.StatusOK, "")

	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("")
	checked := n.hosts[wikiHost]
	n.hosts[wikiHost] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, root := tracer.Start(r.Context(), "caddy")
		defer root.End()
		checked.ServeHTTP(w, r.WithContext(ctx))
	})
	n.world.pass(20 * 60 * 1e9)
	b.open(wiki+"/").wants(t, http.StatusOK, "")
	n.browser().open(wiki+"/").wants(t, http.StatusUnauthorized, "")
	n.world.store.away.Store(true)
	n.world.pass(20 * 60 * 1e9)
	b.open(wiki+"/").wants(t, http.StatusServiceUnavailable, "")

	var got []string
	for _, s := range recorder.Ended() {
		outcome := ""
		for _, a := range s.Attributes() {
			if a.Key == "oauth.outcome" {
				outcome = a.Value.AsString()
			}
		}
		got = append(got, fmt.Sprint(s.Name(), " ", outcome))
	}
	want := []string{
		"oauth.refresh kept", "oauth.guard ok", "caddy ",
		"oauth.guard no_token", "caddy ",
		"oauth.refresh store", "oauth.guard store", "caddy ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("spans %q, want %q", got, want)
	}
}
