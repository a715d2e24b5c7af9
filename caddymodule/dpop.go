package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
)

// DPoP is how clients prove that they hold the key that their tokens are bound
// to (RFC 9449). Every client may send proofs, and gets bound tokens then.
type DPoP struct {
	// Whether each proof has to bring a nonce of this gateway's, which is good for
	// a minute or two: nobody can make proofs beforehand, for a time when the key
	// is out of reach. It costs clients one more request every few minutes. It
	// holds for the token endpoint and for every `bearer_auth`. Default: false
	RequireNonce bool `json:"require_nonce,omitempty"`
}

func (d *DPoP) options() grammar.Options {
	return grammar.Options{"require_nonce": grammar.Flag(&d.RequireNonce)}
}

func (d *DPoP) requireNonce() bool { return d != nil && d.RequireNonce }

// proofsPool holds the one memory of proofs that this process has: a reload
// must not let a proof pass again.
var proofsPool = caddy.NewUsagePool()

const proofsKey = "dpop"

// sharedProofs is what the pool holds.
type sharedProofs struct{ *dpop.Proofs }

// Destruct has nothing to close.
func (sharedProofs) Destruct() error { return nil }

// takeProofs takes the memory of proofs, or makes it.
func takeProofs() (*dpop.Proofs, error) {
	value, _, err := proofsPool.LoadOrNew(proofsKey, func() (caddy.Destructor, error) {
		return sharedProofs{dpop.NewProofs(time.Now)}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(sharedProofs).Proofs, nil
}

// releaseProofs gives it back.
func releaseProofs() error {
	_, err := proofsPool.Delete(proofsKey)
	return err
}
