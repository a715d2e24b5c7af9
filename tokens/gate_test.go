package tokens_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

const otherIssuer = "https://other.example.com/"

// fetched waits for a new set of another issuer's keys.
type fetched chan struct{}

func (f fetched) Happened(_ context.Context, e oauth.Event) {
	if e.Kind == oauth.EventIssuerKeys && e.Outcome == oauth.KeysChanged {
		close(f)
	}
}

func (f fetched) Checked(oauth.Reason) {}

// other returns another issuer whose keys are there, and a token of it.
func (g *gateway) other(claims map[string]any) (*verify.Foreign, string) {
	g.t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		g.t.Fatal(err)
	}
	set, err := jose.MarshalKeySet([]*jose.PublicKey{key.Public()})
	if err != nil {
		g.t.Fatal(err)
	}
	there := make(fetched)
	keys := jwks.NewRemote(jwks.RemoteConfig{
		Issuer: otherIssuer, Observer: there, Clock: g.clock,
		Fetch: func(context.Context) ([]byte, time.Duration, error) { return set, -1, nil },
	})
	g.t.Cleanup(keys.Close)
	keys.Start()
	<-there
	maps.Copy(claims, map[string]any{"iss": otherIssuer, "aud": ordersAPI, "iat": g.clock().Unix(), "exp": g.clock().Add(time.Hour).Unix()})
	payload, err := json.Marshal(claims)
	if err != nil {
		g.t.Fatal(err)
	}
	token, err := jose.Sign(key, verify.TypeAccessToken, payload)
	if err != nil {
		g.t.Fatal(err)
	}
	return verify.NewForeign(verify.ForeignConfig{Issuer: otherIssuer, Keys: keys}), token
}

func (g *gateway) gate(ready error, others ...*verify.Foreign) *verify.Gate {
	g.t.Helper()
	gate, err := g.Issuer.Gate(func(context.Context) error { return ready }, others...)
	if err != nil {
		g.t.Fatal(err)
	}
	return gate
}

// What is denied here is denied for our own tokens, and says nothing about
// others, whatever names they bear.
func TestGateDenies(t *testing.T) {
	g := newGateway(t)
	session := g.login()
	claims, err := g.CheckAccess(t.Context(), session.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	other, token := g.other(map[string]any{"sub": claims.Subject, "client_id": claims.ClientID, "jti": claims.ID, "gh_fam": claims.Family.String()})
	gate := g.gate(nil, other)
	for name, text := range map[string]string{"own": session.AccessToken, "other": token} {
		if _, err := gate.CheckAccess(t.Context(), text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := g.Revoke(t.Context(), g.client("spa"), session.RefreshToken); err != nil {
		t.Fatal(err)
	}
	_, err = gate.CheckAccess(t.Context(), session.AccessToken)
	refused(t, err, oauth.InvalidToken, oauth.ReasonDenied)
	c, err := gate.CheckAccess(t.Context(), token)
	if err != nil || !c.Foreign() || c.Identity() != otherIssuer+"|"+claims.Subject {
		t.Errorf("the other issuer's token: %v, %+v", err, c)
	}
	// A route without the other issuer takes nothing that the gate has cached.
	_, err = g.CheckAccess(t.Context(), token)
	refused(t, err, oauth.InvalidToken, oauth.ReasonWrongIssuer)
}

// G14: what has let a request in is asked about again, by everybody who lets requests in: a
// token that is over counts where that is asked, and one that was revoked always. What
// another issuer made is never revoked here.
func TestG14CheckAgain(t *testing.T) {
	g := newGateway(t)
	session := g.login()
	other, foreign := g.other(map[string]any{"sub": "bob"})
	alone, err := verify.NewForeignGate(nil, g.clock, other)
	if err != nil {
		t.Fatal(err)
	}
	gate := g.gate(nil, other)
	for _, tt := range []struct {
		name, token string
		by          interface {
			CheckAccess(ctx context.Context, token string) (*verify.Claims, error)
			CheckAgain(ctx context.Context, c *verify.Claims, expires bool) error
		}
		revoked oauth.Reason
	}{
		{"ours", session.AccessToken, g.Issuer, oauth.ReasonDenied},
		{"ours at a gate", session.AccessToken, gate, oauth.ReasonDenied},
		{"another's at a gate", foreign, gate, ""},
		{"another's alone", foreign, alone, ""},
	} {
		before := g.clock()
		claims, err := tt.by.CheckAccess(t.Context(), tt.token)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		again := func(what string, expires bool, want oauth.Reason) {
			t.Helper()
			if err := tt.by.CheckAgain(t.Context(), claims, expires); oauth.AsError(err).Reason != want && (want != "" || err != nil) {
				t.Errorf("%s, %s: %v, want %q", tt.name, what, err, want)
			}
		}
		again("at first", true, "")
		g.pass(claims.Expiry.Sub(g.clock()) + oauth.DefaultLeeway)
		again("over", true, oauth.ReasonExpired)
		again("over, which does not count", false, "")
		g.pass(-g.clock().Sub(before))
		defer again("revoked", false, tt.revoked)
	}
	if err := g.Revoke(t.Context(), g.client("spa"), session.RefreshToken); err != nil {
		t.Fatal(err)
	}
}

// Tokens of other issuers need no store.
func TestGateWhileTheStoreIsDown(t *testing.T) {
	g := newGateway(t)
	own := g.login().AccessToken
	other, token := g.other(map[string]any{"sub": "bob"})
	gate := g.gate(errors.New("down"), other)
	if _, err := gate.CheckAccess(t.Context(), token); err != nil {
		t.Errorf("the other issuer's token: %v", err)
	}
	_, err := gate.CheckAccess(t.Context(), own)
	refused(t, err, oauth.TemporarilyUnavailable, oauth.ReasonStore)
	_, err = gate.CheckAccess(t.Context(), "a.b.c")
	refused(t, err, oauth.InvalidToken, oauth.ReasonMalformed)
}

func TestNewGateRefuses(t *testing.T) {
	g := newGateway(t)
	twice := verify.NewForeign(verify.ForeignConfig{Issuer: otherIssuer})
	for name, others := range map[string][]*verify.Foreign{
		"the same twice": {twice, twice},
		"ourselves":      {verify.NewForeign(verify.ForeignConfig{Issuer: issuerURL})},
	} {
		if _, err := g.Issuer.Gate(nil, others...); err == nil || !strings.Contains(err.Error(), "duplicate issuer") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
