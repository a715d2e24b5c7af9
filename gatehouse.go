// Package gatehouse is a Caddy plugin that terminates OAuth at the edge: one
// binary is the authorization server, which logs people in and issues, rotates
// and revokes tokens, and the gateway, which checks the access token on every
// request to an API.
//
// This package only links the plugin into Caddy:
//
//	xcaddy build --with github.com/gatehouse-auth/gatehouse
//
// The modules are in caddymodule, the command in caddymodule/command, the HTTP
// endpoints in handler, the protocol in tokens.
package gatehouse

import (
	_ "github.com/gatehouse-auth/gatehouse/caddymodule"         // registers the modules
	_ "github.com/gatehouse-auth/gatehouse/caddymodule/command" // registers `caddy oauth`
)
