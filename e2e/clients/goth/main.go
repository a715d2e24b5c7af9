// Command goth signs people in with goth's OpenID Connect provider, as its examples do.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"

	"github.com/gorilla/sessions"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/openidConnect"
)

func main() {
	issuer := os.Getenv("ISSUER")
	gothic.Store = sessions.NewCookieStore([]byte("a secret of the session cookie"))
	provider, err := openidConnect.New(os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET"), os.Getenv("REDIRECT_URI"),
		issuer+".well-known/openid-configuration", "profile", "email", "offline_access")
	if err != nil {
		log.Fatal(err)
	}
	goth.UseProviders(provider)
	gothic.GetProviderName = func(*http.Request) (string, error) { return provider.Name(), nil }

	var user goth.User // one person tries this at a time

	http.HandleFunc("/login", gothic.BeginAuthHandler)
	http.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		user, err = gothic.CompleteUserAuth(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/user", http.StatusFound)
	})
	http.HandleFunc("/user", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"email": user.Email})
	})
	http.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, os.Getenv("AUDIENCE"), nil)
		req.Header.Set("Authorization", "Bearer "+user.AccessToken)
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
		token, err := provider.RefreshToken(user.RefreshToken)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		user.AccessToken, user.RefreshToken = token.AccessToken, token.RefreshToken
		http.Redirect(w, r, "/orders", http.StatusFound)
	})
	http.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		out := url.Values{"id_token_hint": {user.IDToken}, "post_logout_redirect_uri": {os.Getenv("HOME_URL")}}
		user = goth.User{}
		_ = gothic.Logout(w, r)
		http.Redirect(w, r, provider.OpenIDConfig.EndSessionEndpoint+"?"+out.Encode(), http.StatusFound)
	})
	log.Fatal(http.ListenAndServe("localhost:"+os.Getenv("PORT"), nil))
}
