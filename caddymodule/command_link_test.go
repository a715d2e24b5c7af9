package caddymodule_test

// The command imports this package, so that only tests outside of it can link the command.
import _ "github.com/gatehouse-auth/gatehouse/caddymodule/command"
