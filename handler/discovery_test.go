package handler

import (
	"net/http"
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// TestNoPublicClient (P10): `none` is offered only where a client is public.
func TestNoPublicClient(t *testing.T) {
	g := newGateway(t, func(c *tokens.Config, _ *Config) {
		c.Clients = slices.DeleteFunc(c.Clients, func(c *clients.Client) bool { return !c.Confidential() })
	})
	doc := jsonOf(t, g.do(http.MethodGet, "/.well-known/openid-configuration", ""))
	if methods, _ := doc["token_endpoint_auth_methods_supported"].([]any); len(methods) == 0 || slices.Contains(methods, any("none")) {
		t.Errorf("methods %v", methods)
	}
}
