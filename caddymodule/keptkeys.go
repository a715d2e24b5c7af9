package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
)

// siteStorage is what is used of Caddy's own storage, where its certificates are.
type siteStorage interface {
	Store(ctx context.Context, key string, value []byte) error
	Load(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
}

// keptKeys keep the keys of an issuer in Caddy's storage, so that they outlast a
// restart. Who can write there can take the certificates of the sites as well.
type keptKeys struct {
	storage siteStorage
	key     string
	issuer  string
}

// keptRecord is what is kept. The document is as the issuer has shown it.
type keptRecord struct {
	Issuer   string    `json:"issuer"`
	Seen     time.Time `json:"seen"`
	Document []byte    `json:"document"`
}

// keptIn returns where the keys are kept that come over the network; nil for others. What
// comes from another place, or is a client's, is kept apart.
func keptIn(storage siteStorage, key keysPoolKey) jwks.Kept {
	if storage == nil || !key.source.Remote() {
		return nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%t %q %q", key.client, key.source.Issuer, key.source.JWKSURI))
	return &keptKeys{storage: storage, key: "gatehouse/issuer_keys/" + hex.EncodeToString(sum[:16]) + ".json", issuer: key.source.Issuer}
}

// Load returns what was kept; a nil document is nothing.
func (k *keptKeys) Load(ctx context.Context) ([]byte, time.Time, error) {
	text, err := k.storage.Load(ctx, k.key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("reading kept keys: %w", err)
	}
	var record keptRecord
	if err := json.Unmarshal(text, &record); err != nil {
		return nil, time.Time{}, fmt.Errorf("reading kept keys: %w", err)
	}
	if record.Issuer != k.issuer {
		return nil, time.Time{}, nil
	}
	return record.Document, record.Seen, nil
}

// Save keeps a document in the place of the one before.
func (k *keptKeys) Save(ctx context.Context, document []byte, seen time.Time) error {
	text, err := json.Marshal(keptRecord{Issuer: k.issuer, Seen: seen, Document: document})
	if err == nil {
		err = k.storage.Store(ctx, k.key, text)
	}
	if err != nil {
		return fmt.Errorf("keeping keys: %w", err)
	}
	return nil
}

// Delete forgets what was kept.
func (k *keptKeys) Delete(ctx context.Context) error {
	if err := k.storage.Delete(ctx, k.key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting kept keys: %w", err)
	}
	return nil
}
