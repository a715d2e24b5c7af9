package caddymodule

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func init() {
	caddy.RegisterModule(new(BoltStore))
}

// StoreModule is what the guest modules of the namespace `oauth.stores` offer.
// Nothing of it reaches out: the store that it makes does so when it is opened.
type StoreModule interface {
	caddy.Module
	// PoolKey names the data that the settings lead to, and nothing else of
	// them: configurations with the same key share one State.
	PoolKey() string
	// NewStore makes the store, not open yet. It calls onCall after each
	// operation, with its context; op is of a closed set.
	NewStore(onCall storeCall) storage.Store
	// Apply brings a store that another configuration with the same key has
	// made in line with the settings, while it is in use. With an error it is
	// as it was.
	Apply(ctx context.Context, store storage.Store) error
	// SecretFile is where a secret is generated when none is configured: the path of
	// the data and ".secret". None is generated where the data are there already. It
	// is "" when other gateways share the data, so that the operator has to give one.
	SecretFile() string
}

// BoltStore keeps everything in one file on the local disk, for a gateway that runs on one
// machine. Every change is on disk before the response is sent.
//
// If you do not configure a `secret`, one is generated and kept beside the database.
// `caddy oauth backup` copies both while Caddy runs; neither is of use without the other.
type BoltStore struct {
	// The path of the database file. Its folder is created if it does not exist. Default:
	// `gatehouse.db` in Caddy's data directory.
	Path string `json:"path,omitempty"`

	file string // absolute, and free of symbolic links
}

// CaddyModule returns the Caddy module information.
func (*BoltStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth.stores.bolt",
		New: func() caddy.Module { return new(BoltStore) },
	}
}

// Provision finds out which file the path leads to. It opens and creates nothing.
func (b *BoltStore) Provision(caddy.Context) error {
	path := b.Path
	if path == "" {
		path = filepath.Join(caddy.AppDataDir(), "gatehouse.db")
	}
	path, err := caddy.NewReplacer().ReplaceOrErr(path, true, true)
	if err != nil {
		return errors.New("store bolt: the path has a placeholder without a value: " + b.Path)
	}
	b.file, err = realPath(path)
	return err
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store bolt [<path>]
func (b *BoltStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := grammar.NewReader(d, "store bolt")
	if err := g.Optional(&b.Path, "path", "gatehouse.db in Caddy's data directory"); err != nil {
		return err
	}
	return g.ReadBlock("store bolt", nil)
}

// boltPool leads the pool keys of embedded stores.
const boltPool = "bolt:"

// PoolKey returns the path of the database file.
func (b *BoltStore) PoolKey() string { return boltPool + b.file }

// SecretSuffix makes of the name of a database that of its generated secret.
const SecretSuffix = ".secret"

// SecretFile returns the path of the generated secret.
func (b *BoltStore) SecretFile() string { return b.file + SecretSuffix }

// NewStore makes the store over the database file.
func (b *BoltStore) NewStore(onCall storeCall) storage.Store {
	return boltstore.New(boltstore.Options{Path: b.file, OnCall: onCall})
}

// Apply has nothing to change: the path is all there is.
func (*BoltStore) Apply(context.Context, storage.Store) error { return nil }

// Interface guards
var (
	_ StoreModule           = (*BoltStore)(nil)
	_ caddy.Provisioner     = (*BoltStore)(nil)
	_ caddyfile.Unmarshaler = (*BoltStore)(nil)
)
