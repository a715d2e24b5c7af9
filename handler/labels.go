package handler

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
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
func accessTexts(t *pages.Texts, scopes []string) []string {
	out := make([]string, len(scopes))
	for i, scope := range scopes {
		text, ok := t.Scopes[scope]
		if !ok {
			text = t.OtherScope + " " + scope
		}
		out[i] = text
	}
	return out
}

// clientName returns what people call an application.
func (s *Server) clientName(id string) string {
	c, ok := s.Issuer.Client(id)
	switch {
	case !ok:
		return ""
	case c.Name != "":
		return c.Name
	}
	return c.ID
}
