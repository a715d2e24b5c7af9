package handler

import (
	"fmt"
	"slices"
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
		text, ok := t.Scope(scope)
		if own := s.scopeText(scope, audiences); !ok && own != "" {
			text = own
		}
		out[i] = text
	}
	return out
}

// questionTexts says in words what a person is asked to agree to: a scope once for each API that
// says something else of it, and an API by itself where nothing of it but its use is asked for.
func (s *Server) questionTexts(t *pages.Texts, q *tokens.Question, scopes, audiences []string) (out []string) {
	for _, scope := range q.Scopes(scopes) {
		at := slices.DeleteFunc(slices.Clone(audiences), func(api string) bool { return !slices.Contains(q.Access[api], scope) })
		if len(at) == 0 {
			at = []string{""} // it is no API's
		}
		for _, api := range at {
			if text := s.accessTexts(t, []string{scope}, []string{api})[0]; !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	for _, api := range audiences {
		if of, asked := q.Access[api]; asked && len(of) == 0 {
			out = append(out, fmt.Sprintf(t.OtherScope, api))
		}
	}
	return out
}

// scopeText is what the operator says of a scope of an API, "" for nothing.
func (s *Server) scopeText(scope string, audiences []string) string {
	for _, a := range audiences {
		if api, ok := s.Issuer.API(a); ok && api.ScopeTexts[scope] != "" {
			return api.ScopeTexts[scope]
		}
	}
	return ""
}

// clientName returns what people call an application. A site has the name of its host.
func (s *Server) clientName(id string) string {
	if origin, ok := sites.OriginOf(id); ok {
		_, host, _ := strings.Cut(origin, "://")
		return host
	}
	c, ok := s.Issuer.Configured(id)
	switch {
	case !ok:
		return ""
	case c.Name != "":
		return c.Name
	}
	return c.ID
}
