package handler

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// opensUnasked reports whether an answer to a request would open a program of the person's
// computer by a scheme that anybody may have registered, before any page of ours has said
// so: a link alone would then do it. See RFC 9700 §4.11.2.
func (s *Server) opensUnasked(r *http.Request, a *tokens.Authorization) bool {
	switch s.routes[cleanPath(r.URL.Path)].name {
	case "login", "consent": // by a form there
		return false
	}
	if scheme, _, _ := strings.Cut(a.RedirectURI, ":"); scheme == "http" || scheme == "https" {
		return false
	}
	c, err := s.Issuer.Client(r.Context(), a.ClientID)
	return err != nil || c.Unregistered()
}
