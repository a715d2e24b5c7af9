package handler

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// corsKind says which origins may read an endpoint's answers.
type corsKind uint8

const (
	corsNone   corsKind = iota // pages: no origin (RFC 9700 §2.6)
	corsClient                 // the origins of the client concerned
	corsCookie                 // as corsClient, with credentials where the client keeps its refresh token in a cookie
	corsAny                    // public documents
)

// endpoint is one row of the route table.
type endpoint struct {
	name    string // for Config.Paths, and for metrics
	path    string // below the issuer's own
	alias   string // another path that works too, unless the endpoint was moved
	fixed   bool   // the path is a standard's and cannot be moved
	early   bool   // answered before shared state is open
	methods []string
	cors    corsKind
	fail    func(*Server, http.ResponseWriter, *http.Request, error)
	serve   func(*Server, http.ResponseWriter, *http.Request) error
}

var (
	onlyPost = []string{http.MethodPost}
	onlyGet  = []string{http.MethodGet, http.MethodHead}
	getPost  = []string{http.MethodGet, http.MethodPost}
)

// endpoints is the route table: all that a Server serves. The paths are
// Auth0's, so that its SDKs work unchanged.
func endpoints() []endpoint {
	return []endpoint{
		{name: "authorize", path: "/authorize", alias: "/oauth/authorize", methods: getPost, fail: (*Server).failPage, serve: (*Server).authorize},
		{name: "login", path: "/login", methods: getPost, fail: (*Server).failPage, serve: (*Server).login},
		{name: "consent", path: "/consent", methods: getPost, fail: (*Server).failPage, serve: (*Server).consent},
		{name: "activate", path: "/activate", methods: getPost, fail: (*Server).failPage, serve: (*Server).activate},
		{name: "device_code", path: "/oauth/device/code", methods: onlyPost, fail: (*Server).failJSON, serve: (*Server).deviceCode},
		{name: "token", path: "/oauth/token", methods: onlyPost, cors: corsCookie, fail: (*Server).failJSON, serve: (*Server).token},
		{name: "refresh", path: "/oauth/refresh", methods: onlyPost, cors: corsCookie, fail: (*Server).failJSON, serve: (*Server).refresh},
		{name: "revoke", path: "/oauth/revoke", methods: onlyPost, cors: corsCookie, fail: (*Server).failJSON, serve: (*Server).revoke},
		{name: "introspect", path: "/oauth/introspect", methods: onlyPost, fail: (*Server).failJSON, serve: (*Server).introspect},
		{name: "userinfo", path: "/userinfo", methods: getPost, cors: corsClient, fail: (*Server).failBearer, serve: (*Server).userinfo},
		{name: "logout", path: "/oidc/logout", methods: getPost, fail: (*Server).failPage, serve: (*Server).logout},
		{name: "auth0_logout", path: "/v2/logout", methods: onlyGet[:1], fail: (*Server).failPage, serve: (*Server).auth0Logout},
		{name: "account", path: "/account", methods: getPost, fail: (*Server).failPage, serve: (*Server).account},
		{name: "health", path: "/oauth/health", early: true, methods: onlyGet, fail: (*Server).failJSON, serve: (*Server).health},
		{name: "jwks", path: "/.well-known/jwks.json", methods: onlyGet, cors: corsAny, fail: (*Server).failJSON, serve: (*Server).jwks},
		{name: "openid_configuration", path: "/.well-known/openid-configuration", fixed: true, methods: onlyGet, cors: corsAny, fail: (*Server).failJSON, serve: (*Server).document},
		{name: "authorization_server", path: "/.well-known/oauth-authorization-server", fixed: true, methods: onlyGet, cors: corsAny, fail: (*Server).failJSON, serve: (*Server).document},
	}
}

// EndpointNames returns the names of the endpoints that Config.Paths can move.
func EndpointNames() []string {
	var names []string
	for _, e := range endpoints() {
		if !e.fixed {
			names = append(names, e.name)
		}
	}
	return names
}

// CheckPaths reports an unknown endpoint name, or a path that cannot serve it,
// or that another endpoint has.
func CheckPaths(paths map[string]string) error {
	names := EndpointNames()
	for name, p := range paths {
		switch {
		case !slices.Contains(names, name):
			return fmt.Errorf("moving endpoint %q: there is no such endpoint; there are %s", name, strings.Join(names, ", "))
		case !strings.HasPrefix(p, "/") || p == "/" || path.Clean(p) != p || strings.ContainsAny(p, "?#%\\ \t\"'<>*{}"):
			return fmt.Errorf("moving endpoint %s: %q is not a plain path such as /oauth2/%s", name, p, name)
		}
	}
	taken := make(map[string]string)
	for _, e := range endpoints() {
		for _, p := range e.pathsIn(paths) {
			if other, ok := taken[p]; ok {
				return fmt.Errorf("moving endpoint %s: %s is the path of %s", e.name, p, other)
			}
			taken[p] = e.name
		}
	}
	return nil
}

// pathsIn returns where the endpoint is, the address that is emitted first.
func (e endpoint) pathsIn(moved map[string]string) []string {
	if p, ok := moved[e.name]; ok && !e.fixed {
		return []string{p}
	}
	if e.alias != "" {
		return []string{e.path, e.alias}
	}
	return []string{e.path}
}

// routeTable makes the map from whole paths to endpoints.
func (s *Server) routeTable() (map[string]*endpoint, error) {
	if err := CheckPaths(s.Paths); err != nil {
		return nil, err
	}
	routes := make(map[string]*endpoint)
	for _, e := range endpoints() {
		for _, p := range e.pathsIn(s.Paths) {
			routes[s.base+p] = &e
		}
		if e.fixed {
			// An issuer with a path has its documents behind it (OpenID
			// Connect Discovery §4) and before it (RFC 8414 §3.1).
			routes[e.path+s.base] = &e
		}
	}
	return routes, nil
}

// pathOf returns the path of an endpoint on our origin.
func (s *Server) pathOf(name string) string {
	for _, e := range endpoints() {
		if e.name == name {
			return s.base + e.pathsIn(s.Paths)[0]
		}
	}
	panic("no endpoint " + name)
}

// urlOf returns the URL of an endpoint. It derives from the issuer, never from a request.
func (s *Server) urlOf(name string) string {
	return s.root + strings.TrimPrefix(s.pathOf(name), s.base)
}

// ServeHTTP answers a request to one of the endpoints: body limits, CORS, method
// and shared state are decided here, by the table, for all of them.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, ok := s.routes[cleanPath(r.URL.Path)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	BoundBody(w, r, s.BodyTime)
	if e.cors != corsNone && s.cors(w, r, e) {
		return // it was a preflight
	}
	if !slices.Contains(e.methods, r.Method) {
		w.Header().Set("Allow", strings.Join(e.methods, ", "))
		e.fail(s, w, r, errMethod)
		return
	}
	if len(r.URL.RawQuery) > maxQuery {
		e.fail(s, w, r, errQuery)
		return
	}
	if !e.early {
		if err := s.Ready(r.Context()); err != nil {
			e.fail(s, w, r, err)
			return
		}
	}
	r = s.withOrigin(r)
	if err := e.serve(s, w, r); err != nil {
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

// cleanPath folds repeated slashes and dots: SDKs append paths to an issuer
// that ends in a slash.
func cleanPath(p string) string { return path.Clean("/" + p) }
