// Command hashicorp-cap signs people in with HashiCorp's cap, as its page does.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/cap/oidc"
	"golang.org/x/oauth2"
)

func main() {
	issuer, redirect := os.Getenv("ISSUER"), os.Getenv("REDIRECT_URI")
	pc, err := oidc.NewConfig(issuer, os.Getenv("CLIENT_ID"), oidc.ClientSecret(os.Getenv("CLIENT_SECRET")), []oidc.Alg{oidc.RS256},
		[]string{redirect}, oidc.WithScopes("profile", "email", "offline_access"))
	if err != nil {
		log.Fatal(err)
	}
	p, err := oidc.NewProvider(pc)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Done()

	var requests sync.Map
	// One person tries this at a time.
	var source oauth2.TokenSource
	var token oidc.Token
	var user map[string]any

	http.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		request, err := oidc.NewRequest(2*time.Minute, redirect)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		requests.Store(request.State(), request)
		to, err := p.AuthURL(r.Context(), request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, to, http.StatusFound)
	})
	http.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		state := r.FormValue("state")
		request, ok := requests.LoadAndDelete(state)
		if !ok {
			http.Error(w, "not asked for", http.StatusBadRequest)
			return
		}
		got, err := p.Exchange(r.Context(), request.(oidc.Request), state, r.FormValue("code"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		var claims map[string]any
		if err := got.IDToken().Claims(&claims); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if err := p.UserInfo(r.Context(), got.StaticTokenSource(), claims["sub"].(string), &user); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		token, source = got, got.StaticTokenSource()
		http.Redirect(w, r, "/user", http.StatusFound)
	})
	http.HandleFunc("/user", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(user) })
	http.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		resp, err := oauth2.NewClient(r.Context(), source).Get(os.Getenv("AUDIENCE"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})
	// cap leaves refreshing to x/oauth2.
	http.HandleFunc("/refresh", func(w http.ResponseWriter, r *http.Request) {
		config := oauth2.Config{
			ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"),
			Endpoint: oauth2.Endpoint{TokenURL: issuer + "oauth/token"},
		}
		fresh, err := config.TokenSource(r.Context(), &oauth2.Token{RefreshToken: string(token.RefreshToken())}).Token()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		source = oauth2.StaticTokenSource(fresh)
		http.Redirect(w, r, "/orders", http.StatusFound)
	})
	http.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		out := url.Values{"id_token_hint": {string(token.IDToken())}, "post_logout_redirect_uri": {os.Getenv("HOME_URL")}}
		token, source, user = nil, nil, nil
		http.Redirect(w, r, issuer+"oidc/logout?"+out.Encode(), http.StatusFound)
	})
	log.Fatal(http.ListenAndServe("localhost:"+os.Getenv("PORT"), nil))
}
