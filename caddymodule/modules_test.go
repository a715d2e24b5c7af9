package caddymodule

// What the tests' configurations use, and all else that a guard may stand beside.
import _ "github.com/caddyserver/caddy/v2/modules/standard"
