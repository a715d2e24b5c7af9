package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// loadApp provisions the oauth app of a configuration, and nothing else of it.
// The caller has to call Cleanup. It opens no store.
func loadApp(file, adapter string) (*App, error) {
	text, _, _, err := caddycmd.LoadConfig(file, adapter)
	if err != nil {
		return nil, fmt.Errorf("loading the configuration: %w", err)
	}
	var config struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("loading the configuration: %w", err)
	}
	oauth, ok := config.Apps["oauth"]
	if !ok {
		return nil, errors.New("loading the configuration: it has no authorization server: the global option `oauth` is missing")
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "ERROR"}}}},
		AppsRaw: caddy.ModuleMap{"oauth": caddyconfig.JSON(oauth, nil)},
	})
	if err != nil {
		return nil, fmt.Errorf("loading the configuration: %w", err)
	}
	app, err := ctx.App("oauth")
	if err != nil {
		return nil, fmt.Errorf("loading the configuration: %w", err)
	}
	return app.(*App), nil
}

// existingSecrets derives the keys of the configured secrets, or of the one that
// was generated before. It generates none: a new one would open nothing.
func (a *App) existingSecrets() (*tokens.Secrets, error) {
	if len(a.secrets) == 0 {
		if _, err := os.Stat(a.store.SecretFile()); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no secret: configure `secret` with the one of the gateways whose state it is, "+
				"or copy their file to %s (mode 0600)", a.store.SecretFile())
		}
	}
	secrets, _, err := a.runtime.loadSecrets()
	return secrets, err
}
