package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
)

// DPoP is how clients prove that they hold the key that their tokens are bound to (RFC 9449).
// Every client can send proofs, and then gets bound tokens.
type DPoP struct {
	// Whether each proof must contain a nonce from this gateway, which is valid for a minute or
	// two. Nobody can then make proofs in advance, to use when they no longer have access to
	// the key. Clients send one more request every few minutes. It applies to the token
	// endpoint and to every `bearer_auth`. Default: false
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
