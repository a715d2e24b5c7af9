package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// The crowd of the row H2: so many people, of so many addresses, at a provider that takes
// its time for each code and each refresh token.
const (
	crowd          = 200
	crowdAddresses = 50
	providerTakes  = 5 * time.Second
)

// slowProvider is an OpenID provider that signs everybody in, slowly.
type slowProvider struct {
	issuer string
	key    *jose.PrivateKey
	server *http.Server
}

func startSlowProvider() (*slowProvider, error) {
	key, err := jose.GenerateKey(jose.RS256)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &slowProvider{issuer: "http://" + listener.Addr().String(), key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("/jwks", p.keys)
	mux.HandleFunc("/token", p.token)
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

func (p *slowProvider) stop() error { return p.server.Close() }

func (p *slowProvider) discovery(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, map[string]any{
		"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + "/token", "jwks_uri": p.issuer + "/jwks",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"code_challenge_methods_supported": []string{"S256"}, "scopes_supported": []string{"openid", "offline_access"},
	})
}

func (p *slowProvider) keys(w http.ResponseWriter, _ *http.Request) {
	set, err := jose.MarshalKeySet([]*jose.PublicKey{p.key.Public()})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(set)
}

// token answers after a while. A code is the person and the nonce; a refresh token the person.
func (p *slowProvider) token(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(providerTakes):
	case <-r.Context().Done():
		return
	}
	sub, nonce, _ := strings.Cut(r.FormValue("code")+r.FormValue("refresh_token"), ".")
	now := time.Now().Unix()
	claims := map[string]any{"iss": p.issuer, "aud": "bench", "sub": sub, "iat": now, "exp": now + 300, "name": "Person " + sub}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	idToken, err := jose.Sign(p.key, "JWT", payload)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answerJSON(w, map[string]any{"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": idToken, "refresh_token": sub})
}

func answerJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// crowdSignsIn sends people to the provider and back, each from an address of an office.
func crowdSignsIn(_ context.Context, site *abuseSiteOf) (attack, error) {
	return func(ctx context.Context, client *http.Client, n int) (int, error) {
		browser, err := ownBrowser(client)
		if err != nil {
			return 0, err
		}
		p := &person{site: site, from: fmt.Sprintf("203.0.113.%d", n%crowdAddresses)}
		ask := p.authorizeParams(url.Values{"connection": {"slow"}})
		status, header, _, err := send(ctx, browser, http.MethodGet, site.auth+"authorize?"+ask.Encode(), nil, p.from)
		if err != nil || status != http.StatusSeeOther {
			return status, err
		}
		there, err := url.Parse(header.Get("Location"))
		if err != nil {
			return 0, err
		}
		q := there.Query()
		back := url.Values{"state": {q.Get("state")}, "code": {fmt.Sprintf("p%d.%s", n%crowd, q.Get("nonce"))}}
		status, header, _, err = send(ctx, browser, http.MethodGet, q.Get("redirect_uri")+"?"+back.Encode(), nil, p.from)
		if err == nil && status == http.StatusSeeOther && !strings.Contains(header.Get("Location"), "code=") {
			err = errors.New("a person of the crowd did not come in")
		}
		return status, err
	}, nil
}
