package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// ConfiguredStore is the store that a configuration names, for a command that
// works on it without a server.
type ConfiguredStore struct {
	Store   storage.Store
	Secrets *secrets.Secrets // of the gateways whose store it is
	Issuers []string         // whose store it is

	app *App
}

// LoadStore provisions the app `oauth` of a configuration in Caddy's JSON, and
// nothing else of it. It opens nothing, and generates no secret: a new one
// would open nothing. The caller has to call Close.
func LoadStore(config []byte) (*ConfiguredStore, error) {
	app, err := loadApp(config)
	if err != nil {
		return nil, fmt.Errorf("loading the configuration: %w", err)
	}
	s := &ConfiguredStore{Issuers: app.issuers(), app: app}
	if s.Secrets, err = app.existingSecrets(); err != nil {
		return nil, errors.Join(err, app.Cleanup())
	}
	s.Store = app.store.NewStore(func(context.Context, string, time.Duration, error) {})
	return s, nil
}

// Open opens the store, which has to exist, stopped for an export or not.
func (s *ConfiguredStore) Open(ctx context.Context) error {
	_, err := s.Store.Open(ctx, storage.OpenRequest{Secrets: s.Secrets.IDs(), Issuers: s.Issuers, Transfer: true})
	return err
}

// Close closes the store and releases the configuration.
func (s *ConfiguredStore) Close() error { return errors.Join(s.Store.Close(), s.app.Cleanup()) }

func loadApp(config []byte) (*App, error) {
	var apps struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(config, &apps); err != nil {
		return nil, err
	}
	oauth, ok := apps.Apps["oauth"]
	if !ok {
		return nil, errors.New("it has no authorization server: the global option `oauth` is missing")
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "ERROR"}}}},
		AppsRaw: caddy.ModuleMap{"oauth": caddyconfig.JSON(oauth, nil)},
	})
	if err != nil {
		return nil, err
	}
	app, err := ctx.App("oauth")
	if err != nil {
		return nil, err
	}
	return app.(*App), nil
}

// existingSecrets derives the keys of the configured secrets, or of the one that
// was generated before.
func (a *App) existingSecrets() (*secrets.Secrets, error) {
	if len(a.secrets) == 0 {
		if _, err := os.Stat(a.store.SecretFile()); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no secret: configure `secret` with the one of the gateways whose state it is, "+
				"or copy their file to %s (mode 0600)", a.store.SecretFile())
		}
	}
	secrets, _, err := a.backend.loadSecrets()
	return secrets, err
}
