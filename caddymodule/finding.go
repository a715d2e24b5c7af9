package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// Severity says how much of a mistake a Finding is.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // it cannot work
	SeverityWarning Severity = "warning" // it is most likely not meant so
	SeverityInfo    Severity = "info"    // it may surprise
)

// Finding is something in a configuration that somebody should look at.
type Finding struct {
	Severity Severity
	Where    string // the block, such as `client my-app`
	Text     string // what is wrong, and what to do
	Option   string // the option to change, "" for none

	fields []zap.Field // of its line in the log of a start
}

// Examined is what a configuration was found to be.
type Examined struct {
	Issuer   string // the issuer that it has
	Findings []Finding
}

// Examine provisions a configuration as `caddy validate` does, starts nothing of it,
// and returns what somebody should look at. The error is why Caddy refuses it. It is
// for a process of its own: what other modules have provisioned ends with that.
func Examine(config []byte) (Examined, error) {
	var cfg *caddy.Config
	if err := caddy.StrictUnmarshalJSON(caddy.RemoveMetaFields(config), &cfg); err != nil {
		return Examined{}, fmt.Errorf("decoding configuration: %w", err)
	}
	if cfg == nil {
		cfg = new(caddy.Config)
	}
	var common struct {
		Issuer string `json:"issuer"`
	}
	if raw := cfg.AppsRaw["oauth"]; raw == nil || json.Unmarshal(raw, &common) == nil && common.Issuer == "" {
		return Examined{}, errors.New("there is no authorization server in it: it has no global option `oauth` with an issuer")
	}
	ctx, err := caddy.ProvisionContext(cfg)
	if err != nil {
		return Examined{}, err
	}
	app, err := ctx.App("oauth")
	if err != nil {
		return Examined{}, err
	}
	a := app.(*App) //nolint:forcetypeassert // our own module
	defer func() { _ = a.Cleanup() }()
	found := slices.Concat(a.clientFindings(), a.loginFindings(), a.groupFindings())
	if web := a.web(); web != nil {
		routes, err := routeFindings(web)
		if err != nil {
			return Examined{}, err
		}
		found = slices.Concat(found, routes, a.siteFindings(web))
		if bind := a.guards.bind; bind != nil {
			if err := bind(web); err != nil {
				found = append(found, Finding{SeverityError, "require_login", err.Error(), "origin", nil})
			}
		}
	}
	return Examined{a.Issuer, found}, nil
}
