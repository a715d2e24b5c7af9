// Command zitadel-rp signs people in with Zitadel's relying party, as its example app does.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

func main() {
	key := []byte("test1234test1234")
	cookieHandler := httphelper.NewCookieHandler(key, key, httphelper.WithUnsecure())
	provider, err := rp.NewRelyingPartyOIDC(context.Background(), os.Getenv("ISSUER"), os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET"),
		os.Getenv("REDIRECT_URI"), []string{"openid", "profile", "email", "offline_access"},
		rp.WithCookieHandler(cookieHandler),
		rp.WithVerifierOpts(rp.WithIssuedAtOffset(5*time.Second)),
		rp.WithSigningAlgsFromDiscovery(),
	)
	if err != nil {
		log.Fatal(err)
	}
	state := func() string { return uuid.New().String() }

	// One person tries this at a time.
	var tokens *oidc.Tokens[*oidc.IDTokenClaims]
	var user *oidc.UserInfo

	http.Handle("/login", rp.AuthURLHandler(state, provider))
	http.Handle("/callback", rp.CodeExchangeHandler(rp.UserinfoCallback(
		func(w http.ResponseWriter, r *http.Request, got *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, info *oidc.UserInfo) {
			tokens, user = got, info
			http.Redirect(w, r, "/user", http.StatusFound)
		}), provider))
	http.HandleFunc("/user", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(user) })
	http.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, os.Getenv("AUDIENCE"), nil)
		req.Header.Set("Authorization", tokens.TokenType+" "+tokens.AccessToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})
	http.HandleFunc("/refresh", func(w http.ResponseWriter, r *http.Request) {
		got, err := rp.RefreshTokens[*oidc.IDTokenClaims](r.Context(), provider, tokens.RefreshToken, "", "")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		tokens = got
		http.Redirect(w, r, "/orders", http.StatusFound)
	})
	http.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		to, err := rp.EndSession(r.Context(), provider, tokens.IDToken, os.Getenv("HOME_URL"), state(), "", nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		tokens, user = nil, nil
		http.Redirect(w, r, to.String(), http.StatusFound)
	})
	log.Fatal(http.ListenAndServe("localhost:"+os.Getenv("PORT"), nil))
}
