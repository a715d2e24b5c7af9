package caddymodule

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/tokens"
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

func (d *DPoP) options() options {
	return options{"require_nonce": flagOption(&d.RequireNonce)}
}

func (d *DPoP) requireNonce() bool { return d != nil && d.RequireNonce }

// proofsPool holds the one memory of proofs that this process has: a reload
// must not let a proof pass again.
var proofsPool = caddy.NewUsagePool()

const proofsKey = "dpop"

// sharedProofs is what the pool holds.
type sharedProofs struct{ *tokens.Proofs }

// Destruct has nothing to close.
func (sharedProofs) Destruct() error { return nil }

// takeProofs takes the memory of proofs, or makes it.
func takeProofs() (*tokens.Proofs, error) {
	value, _, err := proofsPool.LoadOrNew(proofsKey, func() (caddy.Destructor, error) {
		return sharedProofs{tokens.NewProofs(time.Now)}, nil
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

// requestURLs returns what the client has sent a request to, as its proof must
// name it: before rewrites, and as the outermost proxy that Caddy trusts saw it.
//
// The Host is the client's own word, and that is safe where the site has a
// name: Caddy would not have brought a request for another one here. Where a
// site answers to any name, somebody who has caught a proof that was made for
// another server, and its token, could send both here under that server's name;
// dpop_origin is for such sites.
func (b *BearerAuth) requestURLs(r *http.Request) []string {
	path := r.URL.EscapedPath()
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		path = original.URL.EscapedPath()
	}
	if len(b.DPoPOrigins) == 0 {
		return []string{clientOrigin(r) + path}
	}
	urls := make([]string, len(b.DPoPOrigins))
	for i, origin := range b.DPoPOrigins {
		urls[i] = origin + path
	}
	return urls
}

// passageVar is the request's variable that its guards share.
const passageVar = "gatehouse.passage"

// passageOf returns what the guards of a request share.
func passageOf(r *http.Request) *guard.Passage {
	if passage, ok := caddyhttp.GetVar(r.Context(), passageVar).(*guard.Passage); ok {
		return passage
	}
	passage := new(guard.Passage)
	caddyhttp.SetVar(r.Context(), passageVar, passage)
	return passage
}

// clientOrigin returns scheme, host and port as the client sees them. Only a
// proxy in the server's `trusted_proxies` is believed.
func clientOrigin(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if proto := forwardedProto(r); proto != "" {
		scheme = proto
	}
	if name := forwardedHost(r); name != "" {
		host = name
	}
	return scheme + "://" + host
}
