package guard

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
)

// headerSigns are all bytes but letters, digits and the hyphen that a header's
// name can have. See RFC 9110 §5.6.2.
const headerSigns = "!#$%&'*+.^_`|~"

// HDR-05, G2: `X~User~Id` reached a CGI upstream as HTTP_X_USER_ID. Every sign is
// like any other, in headers, trailers and Connection, with a token and without.
func TestG2HeaderSpellings(t *testing.T) {
	g := newTestGuard(t, nil, mapping("X-User-Id", "sub"), func(c *Config) { c.Optional = true })
	other := "X~Other" // which net/http leaves as it is
	spellings := []string{"x-user-id", "X_User-Id", "x~USER-iD", "X-User!Id"}
	for _, sign := range headerSigns {
		spellings = append(spellings, fmt.Sprintf("X%cUser%cId", sign, sign))
	}
	for _, spelling := range spellings {
		for token, want := range map[string]string{"": "", "Bearer good": "local|bob"} {
			r := request(t, http.MethodPost, "/", spelling, "local|alice", "Connection", "close, "+spelling, other, "stays")
			if token != "" {
				r.Header.Set("Authorization", token)
			}
			r.Trailer = http.Header{spelling: nil, "X-Other": nil}
			_, seen := guarded(t, g, r, nil)
			if seen == nil {
				t.Fatalf("%s: refused", spelling)
			}
			got := make(map[string]string)
			for name, values := range seen.Header {
				if identity.SameHeader(name, "X-User-Id") {
					got[name] = strings.Join(values, "|")
				}
			}
			if (len(got) == 0) != (want == "") || got["X-User-Id"] != want {
				t.Errorf("%s, token %q: the upstream sees %v", spelling, token, got)
			}
			if seen.Header.Get("Connection") != "close" || len(seen.Header[other]) == 0 {
				t.Errorf("%s: %v", spelling, seen.Header)
			}
			if names := slices.Collect(maps.Keys(seen.Trailer)); !slices.Equal(names, []string{"X-Other"}) {
				t.Errorf("%s: trailers %v", spelling, names)
			}
		}
	}
}

// G2: net/http takes trailers that nobody has announced, as soon as one was.
func TestG2TrailersThatWereNotAnnounced(t *testing.T) {
	g := newTestGuard(t, nil, mapping("X-User-Id", "sub"))
	seen := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(r.Context()) // as Caddy does: net/http fills in the trailers of the request that it made
		if _, err := g.Check(w, r); err != nil {
			t.Error(err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		seen <- r.Trailer
	}))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, io.NopCloser(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
	r.Trailer = http.Header{"X-Sum": {"1"}}
	r.Body = &lateTrailers{ReadCloser: r.Body, trailer: r.Trailer}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := <-seen; len(got) != 1 || got.Get("X-Sum") != "1" {
		t.Errorf("the upstream sees the trailers %v", got)
	}
}

// lateTrailers adds trailers at the end of a body, which its header has not announced.
type lateTrailers struct {
	io.ReadCloser

	trailer http.Header
}

func (b *lateTrailers) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.trailer["X-User-Id"], b.trailer["X~User~Id"] = []string{"local|alice"}, []string{"local|alice"}
	}
	return n, err
}

// HDR-18 and G2: a preflight is none when an upstream may read another method in it.
func TestG2PreflightsThatAreOthers(t *testing.T) {
	g := newTestGuard(t, nil, func(c *Config) { c.CORS = false })
	for _, name := range []string{"X-Http-Method-Override", "X_HTTP_METHOD_OVERRIDE", "X~Http~Method", "X.Method.Override", "dpop", "Upgrade"} {
		r := request(t, http.MethodOptions, "/", "Origin", "https://any.example", "Access-Control-Request-Method", "GET", name, "DELETE")
		if res, seen := guarded(t, g, r, nil); seen != nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}

// G16: what one guard of a request has set, another one leaves, unless it accepts
// a token itself. What the client has sent is gone after the first.
func TestG16GuardsOfOneRequest(t *testing.T) {
	known := checker{"good": claimsOf(t, `{"email":"bob@example.com","email_verified":true}`)}
	make1 := func(p *Passage, change ...func(*Config)) *Guard {
		return newTestGuard(t, known, append(change, func(c *Config) { c.Passage = func(*http.Request) *Passage { return p } })...)
	}
	optional := func(c *Config) { c.Optional = true }
	check := func(g *Guard, r *http.Request) {
		t.Helper()
		if _, err := g.Check(httptest.NewRecorder(), r); err != nil {
			t.Fatal(err)
		}
	}
	client := []string{"X-User-Id", "alice", "X_User_Id", "alice", "X-Org", "evil", "Connection", "X-User-Id, X~Org"}
	for _, tt := range []struct {
		name  string
		token bool
		pass  func(a, b *Guard, r *http.Request)
		want  map[string]string
	}{
		{"beside both", false, func(a, b *Guard, r *http.Request) { a.TakeOut(r); b.TakeOut(r) }, map[string]string{}},
		{"a sets, b stands elsewhere", true, func(a, b *Guard, r *http.Request) { check(a, r); b.TakeOut(r) }, map[string]string{"X-User-Id": "local|bob"}},
		{"a sets, a stands elsewhere too", true, func(a, _ *Guard, r *http.Request) { check(a, r); a.TakeOut(r) }, map[string]string{"X-User-Id": "local|bob", "X-Org": "evil"}},
		{"b stands elsewhere, a sets", true, func(a, b *Guard, r *http.Request) { b.TakeOut(r); check(a, r) }, map[string]string{"X-User-Id": "local|bob"}},
		{"both set", true, func(a, b *Guard, r *http.Request) { check(a, r); check(b, r) }, map[string]string{"X_user_id": "bob@example.com", "X-Org": "local|bob"}},
		{"a set, then the token is gone", true, func(a, b *Guard, r *http.Request) { check(a, r); r.Header.Del("Authorization"); check(b, r) }, map[string]string{"X-User-Id": "local|bob"}},
		{"no token", false, func(a, b *Guard, r *http.Request) { check(a, r); check(b, r) }, map[string]string{}},
	} {
		t.Run("G16: "+tt.name, func(t *testing.T) {
			p := new(Passage)
			a := make1(p, optional, mapping("X-User-Id", "sub"))
			b := make1(p, optional, mapping("X_User_Id", "email", "X-Org", "sub"))
			r := request(t, http.MethodGet, "/", client...)
			if tt.token {
				r.Header.Set("Authorization", "Bearer good")
			}
			tt.pass(a, b, r)
			got := make(map[string]string)
			for name, values := range r.Header {
				if identity.SameHeader(name, "X-User-Id") || identity.SameHeader(name, "X-Org") {
					got[name] = strings.Join(values, "|")
				}
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("the upstream sees %v, want %v", got, tt.want)
			}
		})
	}
}

// What taking headers out costs a request with many of them.
func BenchmarkTakeOut(b *testing.B) {
	g := newTestGuard(b, nil, mapping("X-User-Id", "sub", "X-User-Email", "email"))
	for _, n := range []int{8, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
			for i := range n {
				r.Header.Set(fmt.Sprintf("X-Header-%d", i), "x")
			}
			b.ReportAllocs()
			for b.Loop() {
				g.TakeOut(r)
			}
		})
	}
}
