package handler

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// personName returns what to call a person who is signed in.
func personName(p tokens.Profile) string {
	for _, claim := range []string{"name", "email", "nickname"} {
		if s, ok := p.Claims[claim].(string); ok && s != "" {
			return s
		}
	}
	_, id, _ := strings.Cut(p.Subject, "|")
	return id
}

// accessTexts says in words what scopes allow.
func (s *Server) accessTexts(t *pages.Texts, scopes, audiences []string) []string {
	out := make([]string, len(scopes))
	for i, scope := range scopes {
		text, ok := t.Scopes[scope]
		if !ok {
			text = s.scopeText(t, scope, audiences)
		}
		out[i] = text
	}
	return out
}

// scopeText says what a scope of an API allows: in the operator's words, or by its name.
func (s *Server) scopeText(t *pages.Texts, scope string, audiences []string) string {
	for _, a := range audiences {
		if api, ok := s.Issuer.API(a); ok && api.ScopeTexts[scope] != "" {
			return api.ScopeTexts[scope]
		}
	}
	return t.OtherScope + " " + scope
}

// clientName returns what people call an application. A site has the name of its host.
func (s *Server) clientName(id string) string {
	if origin, ok := sites.OriginOf(id); ok {
		_, host, _ := strings.Cut(origin, "://")
		return host
	}
	c, ok := s.Issuer.Client(id)
	switch {
	case !ok:
		return ""
	case c.Name != "":
		return c.Name
	}
	return c.ID
}
