package handler

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/spans"
)

// ServeHTTP answers a request to one of the endpoints: body limits, CORS, method
// and shared state are decided here, by the table, for all of them.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, ok := s.routes[cleanPath(r.URL.Path)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	wire.BoundBody(w, r, s.BodyTime)
	if e.cors != corsNone && s.cors(w, r, e) {
		return // it was a preflight
	}
	if !slices.Contains(e.methods, r.Method) {
		w.Header().Set("Allow", strings.Join(e.methods, ", "))
		s.report(r.Context(), e.name, methodRefused(r, e))
		e.fail(s, w, r, wire.ErrMethod)
		return
	}
	if len(r.URL.RawQuery) > maxQuery {
		s.report(r.Context(), e.name, errQuery)
		e.fail(s, w, r, errQuery)
		return
	}
	if e.page && !e.perLogin && s.elsewhere(r) {
		if err := s.toIssuer(w, r, e.name); err != nil {
			s.report(r.Context(), e.name, err)
			e.fail(s, w, r, err)
		}
		return
	}
	if !e.early {
		if err := s.Ready(r.Context()); err != nil {
			if e.page {
				s.report(r.Context(), e.name, err)
			}
			e.fail(s, w, r, err)
			return
		}
	}
	r = s.withRequester(r)
	if e.grants {
		inside, done := wire.InSpan(r, spans.Token)
		defer done()
		r = inside
	}
	err := e.serve(s, w, r)
	if e.grants {
		wire.NoteAnswer(r, err)
	}
	if err != nil {
		s.report(r.Context(), e.name, err)
		e.fail(s, w, r, err)
	}
}

// Handles reports whether a request path is one of the Server's endpoints.
func (s *Server) Handles(requestPath string) bool {
	_, ok := s.routes[cleanPath(requestPath)]
	return ok
}

// Endpoint returns the name of the endpoint at a request path, which is of a
// closed set and good for a metric.
func (s *Server) Endpoint(requestPath string) (name string, ok bool) {
	e, ok := s.routes[cleanPath(requestPath)]
	if !ok {
		return "", false
	}
	return e.name, true
}

// withRequester puts into the request's context where it came from, for the
// histories that people and operators read.
func (s *Server) withRequester(r *http.Request) *http.Request {
	return r.WithContext(oauth.WithRequester(r.Context(), oauth.Requester{
		Address:   s.ClientIP(r),
		RequestID: func() string { return s.RequestID(r) },
		Device:    func() string { return s.devices.of(r.UserAgent()) },
	}))
}
