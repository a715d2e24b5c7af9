package handler

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

var (
	onlyPost = []string{http.MethodPost}
	onlyGet  = []string{http.MethodGet, http.MethodHead}
	getPost  = []string{http.MethodGet, http.MethodPost}
)

// endpoints is the route table: all that a Server serves. The paths are
// Auth0's, so that its SDKs work unchanged.
func endpoints() []endpoint {
	return []endpoint{
		{name: "authorize", path: "/authorize", alias: "/oauth/authorize", methods: getPost, page: true, fail: (*Server).failPage, serve: (*Server).authorize},
		{name: "login", path: "/login", methods: getPost, page: true, fail: (*Server).failPage, serve: (*Server).login},
		{name: "callback", path: "/callback", perLogin: true, methods: getPost, page: true, fail: (*Server).failPage, serve: (*Server).callback},
		{name: "consent", path: "/consent", methods: getPost, page: true, fail: (*Server).failPage, serve: (*Server).consent},
		{name: "activate", path: "/activate", methods: getPost, page: true, fail: (*Server).failPage, serve: (*Server).activate},
		{name: "device_code", path: "/oauth/device/code", methods: onlyPost, fail: (*Server).failJSON, serve: (*Server).deviceCode},
		{name: "token", path: "/oauth/token", alias: "/token", aliasRegisters: true, grants: true, methods: onlyPost, cors: corsCredentials, fail: (*Server).failJSON, serve: (*Server).token},
		{name: "refresh", path: "/oauth/refresh", grants: true, methods: onlyPost, cors: corsCookie, fail: (*Server).failJSON, serve: (*Server).refresh},
		{name: "revoke", path: "/oauth/revoke", methods: onlyPost, cors: corsCookie, fail: (*Server).failJSON, serve: (*Server).revoke},
		{name: "register", path: "/oauth/register", alias: "/register", methods: onlyPost, registers: true, cors: corsAny, fail: (*Server).failRegistration, serve: (*Server).register},
		{name: "introspect", path: "/oauth/introspect", methods: onlyPost, fail: (*Server).failJSON, serve: (*Server).introspect},
		{name: "userinfo", path: "/userinfo", methods: getPost, cors: corsClient, fail: (*Server).failBearer, serve: (*Server).userinfo},
		{name: "logout", path: "/oidc/logout", methods: getPost, page: true, fail: (*Server).failPage, serve: (*Server).logout},
		{name: "auth0_logout", path: "/v2/logout", methods: onlyGet[:1], page: true, fail: (*Server).failPage, serve: (*Server).auth0Logout},
		{name: "backchannel_logout", path: "/backchannel-logout", perLogin: true, methods: onlyPost, fail: (*Server).failJSON, serve: (*Server).backchannelLogout},
		{name: "frontchannel_logout", path: "/frontchannel-logout", perLogin: true, methods: onlyGet, fail: (*Server).failJSON, serve: (*Server).frontchannelLogout},
		{name: "signed_out", path: "/signed-out", perLogin: true, methods: onlyGet[:1], fail: (*Server).failPage, serve: (*Server).comesBackSignedOut},
		{name: "account", path: "/account", methods: getPost, page: true, fail: (*Server).failPage, serve: (*Server).account},
		{name: "app_keys", path: "/account/keys", methods: getPost, page: true, fail: (*Server).failPage, serve: (*Server).appKeys},
		{name: "health", path: "/oauth/health", early: true, methods: onlyGet, fail: (*Server).failJSON, serve: (*Server).health},
		{name: "jwks", path: "/.well-known/jwks.json", methods: onlyGet, cors: corsAny, fail: (*Server).failJSON, serve: (*Server).jwks},
		{name: "openid_configuration", path: "/.well-known/openid-configuration", fixed: true, early: true, methods: onlyGet, cors: corsAny, fail: (*Server).failJSON, serve: (*Server).document},
		{name: "authorization_server", path: "/.well-known/oauth-authorization-server", fixed: true, early: true, methods: onlyGet, cors: corsAny, fail: (*Server).failJSON, serve: (*Server).document},
	}
}

// EndpointNames returns the names of the endpoints that Config.Paths can move.
func EndpointNames() []string {
	var names []string
	for _, e := range endpoints() {
		if !e.fixed && !e.perLogin {
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

// routeLogins routes an endpoint that each login at a provider has, below its path.
func (s *Server) routeLogins(e *endpoint) {
	s.paths[e.name] = s.base + e.path
	for _, l := range s.Logins {
		if _, ok := l.(login.Elsewhere); ok {
			s.routes[s.base+e.path+"/"+l.Name()] = e
		}
	}
}

// route fills in the map from whole paths to endpoints, and where each of them is.
func (s *Server) route() error {
	if err := CheckPaths(s.Paths); err != nil {
		return err
	}
	s.routes, s.paths = make(map[string]*endpoint), make(map[string]string)
	for _, e := range endpoints() {
		if e.registers && !s.Issuer.Registers() {
			continue
		}
		if e.perLogin {
			s.routeLogins(&e)
			continue
		}
		paths := e.pathsIn(s.Paths)
		if e.aliasRegisters && !s.Issuer.Registers() {
			paths = paths[:1]
		}
		s.paths[e.name] = s.base + paths[0]
		for _, p := range paths {
			s.routes[s.base+p] = &e
		}
		if e.fixed {
			// An issuer with a path has its documents behind it (OpenID
			// Connect Discovery §4) and before it (RFC 8414 §3.1).
			s.routes[e.path+s.base] = &e
		}
	}
	return nil
}
