// Package adminapi is the admin API of Gatehouse at Caddy's admin endpoint: what it
// can do, one Action each, and how it does it. The command line is made of the
// same Actions.
package adminapi

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
)

// API acts on one configuration.
type API struct {
	Log      *zap.Logger
	Observer oauth.Observer
	Others   OtherIssuers

	// What an authorization server has; without one all of it is nil.
	Issuer   *tokens.Issuer
	Operator *admin.Operator
	State    *state.State
	Logins   []login.Login
	Open     func() error           // opens the store, if it is not open
	Begin    func() (end func())    // keeps the store open until end
	Database string                 // the path of an embedded store
	Secret   func() ([]byte, error) // the generated secret, nil where the configuration has one
	Stats    func() Stats
	Dropped  func() int // sign-outs of which this process has not told an application, and gave up
}

// OtherIssuers are the issuers whose tokens guards take, besides our own.
type OtherIssuers interface {
	// List returns them in order.
	List() []OtherIssuer
	// Purge forgets the keys of one, and reports whether there is such an issuer.
	Purge(issuer string) (known bool)
}

// coreError puts a refusal of the core into the admin API's form. Nil stays nil.
func coreError(err error) error {
	var answered caddy.APIError
	if err == nil || errors.As(err, &answered) {
		return err
	}
	if _, refused := errors.AsType[admin.RefusedError](err); refused {
		return refusal(http.StatusConflict, err)
	}
	if e := oauth.AsError(err); e.Code != oauth.TemporarilyUnavailable {
		return refusal(http.StatusBadRequest, err)
	}
	return refusal(http.StatusServiceUnavailable, err)
}

func refusal(status int, err error) error {
	return caddy.APIError{HTTPStatus: status, Err: err}
}

func badRequest(format string, args ...any) error {
	return refusal(http.StatusBadRequest, fmt.Errorf(format, args...))
}
