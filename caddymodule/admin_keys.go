package caddymodule

import (
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// keyList answers what is about the signing keys.
type keyList struct {
	Keys []tokens.KeyInfo `json:"keys"`
}

func (a *adminAPI) keys() keyList { return keyList{Keys: a.app.runtime.shared.state.Keys.Keys()} }

func (a *adminAPI) listKeys(*adminCall) (any, error) { return a.keys(), nil }

func (a *adminAPI) rotateKeys(c *adminCall) (any, error) {
	immediate := false
	switch c.get("immediate") {
	case "", "false":
	case "true":
		immediate = true
	default:
		return nil, badRequest("immediate: write true or false")
	}
	if err := a.issuer().RotateKeys(c.Context(), immediate); err != nil {
		return nil, coreError(err)
	}
	return a.keys(), nil
}

func (a *adminAPI) dropKey(c *adminCall) (any, error) {
	err := a.issuer().DropKey(c.Context(), c.name)
	if errors.Is(err, tokens.ErrNoKey) {
		return nil, adminError(http.StatusNotFound, err)
	}
	if err != nil {
		return nil, coreError(err)
	}
	return a.keys(), nil
}
