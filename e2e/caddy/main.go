// Command caddy is Caddy with its standard modules and Gatehouse, for the
// demo and the tests. `go build` makes it in seconds; what operators run comes
// from xcaddy (`make build`).
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // as in every Caddy

	_ "github.com/gatehouse-auth/gatehouse"
)

func main() {
	caddycmd.Main()
}
