package tokens_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// signedBy is an assertion of the machine under a key.
func (g *gateway) signedBy(key *jose.PrivateKey, jti string) clients.Credentials {
	g.t.Helper()
	now := g.clock().Unix()
	payload, err := json.Marshal(map[string]any{"iss": "machine", "sub": "machine", "aud": issuerURL, "jti": jti, "exp": now + 60})
	if err != nil {
		g.t.Fatal(err)
	}
	text, err := jose.Sign(key, "JWT", payload)
	if err != nil {
		g.t.Fatal(err)
	}
	return clients.Credentials{Assertion: text, Method: clients.AuthPrivateKeyJWT}
}

func newKey(t *testing.T, alg jose.Algorithm) *jose.PrivateKey {
	t.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// fetches hears what became of fetches of keys.
type fetches chan oauth.Outcome

func (f fetches) Happened(_ context.Context, e oauth.Event) {
	if e.Kind == oauth.EventIssuerKeys {
		f <- e.Outcome
	}
}

func (f fetches) Checked(oauth.Reason) {}

// TestClientKeysAtJWKSURI: a client's published keys are fetched in the
// background. Until they have come the client is told to come back, and no key
// but the published is taken.
func TestClientKeysAtJWKSURI(t *testing.T) {
	old, next, stranger := newKey(t, jose.ES256), newKey(t, jose.EdDSA), newKey(t, jose.ES256)
	var published atomic.Pointer[[]*jose.PublicKey]
	heard := make(fetches, 100)
	remote := jwks.NewRemote(jwks.RemoteConfig{
		Issuer: "machine", Observer: heard,
		Fetch: func(context.Context) ([]byte, time.Duration, error) {
			keys := published.Load()
			if keys == nil {
				return nil, 0, errors.New("not reachable")
			}
			document, err := jose.MarshalKeySet(*keys)
			return document, 0, err
		},
	})
	t.Cleanup(remote.Close)
	g := newGateway(t, func(c *tokens.Config) { c.Clients[4].Keys.Remote = remote })
	n := 0
	try := func(key *jose.PrivateKey) error {
		n++
		_, err := g.Authenticator().Authenticate(t.Context(), g.signedBy(key, fmt.Sprint(n)))
		return err
	}
	refused(t, try(old), oauth.TemporarilyUnavailable, oauth.ReasonIssuerKeys)
	if outcome := <-heard; outcome != oauth.KeysUnreachable { // the fetch that the request has begun
		t.Fatal(outcome)
	}
	published.Store(&[]*jose.PublicKey{old.Public()})
	for outcome := range heard { // 2 s later, or 4 if that was too early
		if outcome == oauth.KeysChanged {
			break
		}
	}
	if err := try(old); err != nil {
		t.Fatal(err)
	}
	refused(t, try(next), oauth.InvalidClient, oauth.ReasonBadSignature)
	refused(t, try(stranger), oauth.InvalidClient, oauth.ReasonBadSignature)
	if n := g.events.count(oauth.EventClientCredential, "jwks_uri 1"); n != 1 {
		t.Errorf("%d uses of the published key were told", n)
	}
	if _, err := g.Authenticator().Authenticate(t.Context(), clients.Credentials{ClientID: "machine", Secret: "machine-secret", Method: clients.AuthPost}); err != nil {
		t.Errorf("a secret beside the keys: %v", err)
	}
}

// TestClientKeyAlgorithm: where the algorithm is configured, keys for others are no keys.
func TestClientKeyAlgorithm(t *testing.T) {
	ec, ed := newKey(t, jose.ES256), newKey(t, jose.EdDSA)
	g := newGateway(t, func(c *tokens.Config) {
		c.Clients[4].Keys = clients.Keys{Fixed: []*jose.PublicKey{ec.Public(), ed.Public()}, Algorithm: jose.EdDSA}
	})
	if _, err := g.Authenticator().Authenticate(t.Context(), g.signedBy(ed, "1")); err != nil {
		t.Error(err)
	}
	_, err := g.Authenticator().Authenticate(t.Context(), g.signedBy(ec, "2"))
	refused(t, err, oauth.InvalidClient, oauth.ReasonBadSignature)
}
