package nodes

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// traces takes what Caddy exports: OTLP over HTTP.
type traces struct {
	url string

	mu    sync.Mutex
	raw   bytes.Buffer
	spans []*tracepb.Span
}

func newTraces(t *testing.T) *traces {
	t.Helper()
	c := new(traces)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err := cmp.Or(err, proto.Unmarshal(body, &sent)); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("an export to %s: %v", r.URL.Path, err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.Write(body)
		for _, resource := range sent.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// find returns the first span of a name, in any trace or in that one.
func (c *traces) find(name, trace string) *tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.spans, func(s *tracepb.Span) bool {
		return s.GetName() == name && (trace == "" || trace == hex.EncodeToString(s.GetTraceId()))
	})
	if i < 0 {
		return nil
	}
	return c.spans[i]
}

// await waits for a span.
func (c *traces) await(t *testing.T, name, trace string) *tracepb.Span {
	t.Helper()
	within(t, "the span "+name, 20*time.Second, func() bool { return c.find(name, trace) != nil })
	return c.find(name, trace)
}

// attributes returns what a span says, and fails for what it may not say.
func attributes(t *testing.T, s *tracepb.Span) map[string]string {
	t.Helper()
	said := make(map[string]string)
	for _, a := range s.GetAttributes() {
		if !slices.Contains([]string{"oauth.outcome", "oauth.grant", "oauth.client"}, a.GetKey()) {
			t.Errorf("%s says %s", s.GetName(), a.GetKey())
		}
		said[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return said
}

// TestTraces: where Caddy traces, a token request, the decision about its refresh
// token, a guarded request and the calls of the store are spans below Caddy's own,
// as a collector receives them. They hold no token and no name of a person.
func TestTraces(t *testing.T) {
	t.Parallel()
	c := newTraces(t)
	s := startSite(t, siteOptions{
		Nodes: 1, Store: standalone(redistest.Start(t).Addr), Sites: "tracing {\n\t\tspan caddy\n\t}",
		Env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_BSP_SCHEDULE_DELAY=50"},
	})
	l := s.newLogin(t, 0, 0)
	if v := l.renew(0, nil); v != history.Done {
		t.Fatalf("refresh: %s", v)
	}

	rotate := c.await(t, "oauth.store.rotate", "")
	trace := hex.EncodeToString(rotate.GetTraceId())
	above := rotate
	for _, want := range []struct {
		name string
		said map[string]string
	}{
		{"oauth.refresh", map[string]string{"oauth.outcome": "rotated", "oauth.client": "app"}},
		{"oauth.token", map[string]string{"oauth.outcome": "ok", "oauth.grant": "refresh_token", "oauth.client": "app"}},
		{"caddy", nil},
	} {
		span := c.await(t, want.name, trace)
		if !bytes.Equal(above.GetParentSpanId(), span.GetSpanId()) {
			t.Errorf("%s is no child of %s", above.GetName(), want.name)
		}
		if above = span; want.said == nil {
			break
		}
		if got := fmt.Sprint(attributes(t, span)); got != fmt.Sprint(want.said) {
			t.Errorf("%s says %s, want %v", want.name, got, want.said)
		}
	}
	if got := attributes(t, rotate)["oauth.outcome"]; got != "ok" || rotate.GetEndTimeUnixNano() <= rotate.GetStartTimeUnixNano() {
		t.Errorf("the store's span: %q, from %d to %d", got, rotate.GetStartTimeUnixNano(), rotate.GetEndTimeUnixNano())
	}

	// What its sender's trace does not record is not recorded here.
	const silent, loud = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
	s.call(t, s.nodes[0], "Bearer "+l.access, "00-"+silent+"-b7ad6b7169203331-00")
	s.call(t, s.nodes[0], "Bearer "+l.access, "00-"+loud+"-00f067aa0ba902b7-01")
	guard, caddy := c.await(t, "oauth.guard", loud), c.await(t, "caddy", loud)
	if !bytes.Equal(guard.GetParentSpanId(), caddy.GetSpanId()) {
		t.Error("oauth.guard is no child of Caddy's span")
	}
	if got := attributes(t, guard); got["oauth.outcome"] != "ok" || got["oauth.client"] != "app" {
		t.Errorf("oauth.guard says %v", got)
	}
	if c.find("caddy", silent) != nil || c.find("oauth.guard", silent) != nil {
		t.Error("a trace that is not recorded has spans")
	}
	const refused = "5bf92f3577b34da6a3ce929d0e0e4737"
	s.call(t, s.nodes[0], "", "00-"+refused+"-00f067aa0ba902b7-01")
	if got := attributes(t, c.await(t, "oauth.guard", refused))["oauth.outcome"]; got != "no_token" {
		t.Errorf("oauth.guard without a token says %q", got)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range []string{l.access, l.refresh, l.person.user} {
		if secret == "" || bytes.Contains(c.raw.Bytes(), []byte(secret)) {
			t.Errorf("%q was exported", secret)
		}
	}
}

// call calls the API within a trace of the caller's.
func (s *site) call(t *testing.T, n *node, authorization, traceparent string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://localhost:%d/orders", n.apiPort), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Traceparent", traceparent)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := n.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
