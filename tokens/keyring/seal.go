package keyring

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// keysFormat is the version of the sealed value. A node must not guess at a newer one.
const keysFormat = 1

var keysAAD = []byte("gatehouse signing keys")

type storedKeys struct {
	Format int         `json:"v"`
	Keys   []storedKey `json:"keys"`
	// Lasting is what Ring.Lasting returns.
	Lasting []byte `json:"lasting"`
}

type storedKey struct {
	ID        string         `json:"kid"`
	Algorithm jose.Algorithm `json:"alg"`
	PKCS8     []byte         `json:"pkcs8"`
	Created   int64          `json:"created"`           // ms
	UseFrom   int64          `json:"use_from"`          // ms
	Keep      int64          `json:"keep"`              // ms
	Retired   int64          `json:"retired,omitempty"` // ms
}

func sealKeys(under *secrets.Secrets, keys []ringKey, lasting []byte) ([]byte, error) {
	value := storedKeys{Format: keysFormat, Keys: make([]storedKey, len(keys)), Lasting: lasting}
	for i, k := range keys {
		der, err := k.private.MarshalPKCS8()
		if err != nil {
			return nil, err
		}
		value.Keys[i] = storedKey{
			ID: k.private.ID(), Algorithm: k.private.Algorithm(), PKCS8: der,
			Created: k.created.UnixMilli(), UseFrom: k.useFrom.UnixMilli(), Keep: k.keep.Milliseconds(),
		}
		if !k.retired.IsZero() {
			value.Keys[i].Retired = k.retired.UnixMilli()
		}
	}
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encoding signing keys: %w", err)
	}
	return under.Seal(secrets.PurposeSealKeys, plain, keysAAD), nil
}

// openedKeys is what a store keeps of the keys.
type openedKeys struct {
	keys    []ringKey
	lasting []byte // the key that never changes
	secret  int    // which of the secrets has opened it
}

// openKeys reads what sealKeys wrote, the keys sorted, and says under which secret. Keys
// that the ring already holds keep their pointers, by which the verified cache knows them.
func openKeys(under *secrets.Secrets, sealed []byte, last *keySnapshot) (opened openedKeys, err error) {
	if len(sealed) == 0 {
		return opened, nil
	}
	plain, secret, err := under.Open(secrets.PurposeSealKeys, sealed, keysAAD)
	if err != nil {
		return openedKeys{}, fmt.Errorf("opening signing keys: %w", storage.ErrWrongSecret)
	}
	var value storedKeys
	if err := json.Unmarshal(plain, &value); err != nil {
		return openedKeys{}, errors.New("opening signing keys: the value is damaged")
	}
	if value.Format != keysFormat {
		return openedKeys{}, errors.New("opening signing keys: written by a newer version of Gatehouse; upgrade this node")
	}
	for _, k := range value.Keys {
		private := last.private(k.ID)
		if private == nil {
			if private, err = jose.ParsePrivateKey(k.Algorithm, k.PKCS8); err != nil {
				return openedKeys{}, fmt.Errorf("opening signing keys: %w", err)
			}
		}
		key := ringKey{
			private: private,
			created: time.UnixMilli(k.Created).UTC(),
			useFrom: time.UnixMilli(k.UseFrom).UTC(),
			keep:    time.Duration(k.Keep) * time.Millisecond,
		}
		if k.Retired != 0 {
			key.retired = time.UnixMilli(k.Retired).UTC()
		}
		opened.keys = append(opened.keys, key)
	}
	slices.SortStableFunc(opened.keys, compareKeys)
	opened.lasting, opened.secret = value.Lasting, secret
	return opened, nil
}

// CheckSealedKeys reports whether the secrets open what a store keeps of the
// keys: ErrWrongSecret where they do not.
func CheckSealedKeys(under *secrets.Secrets, sealed []byte) error {
	_, err := openKeys(under, sealed, &keySnapshot{})
	return err
}
