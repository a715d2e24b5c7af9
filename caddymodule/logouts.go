package caddymodule

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/tokens/logout"
)

// startLogouts begins to tell clients of sign-outs, where some ask for it.
func (a *App) startLogouts() {
	posts := make(map[string]*http.Client)
	for _, c := range a.Clients {
		if u, err := url.Parse(c.BackChannelLogoutURI); err == nil && u.Host != "" {
			posts[c.ID] = fetch.NewPoster(fetch.Access{AllowPrivate: true, Home: u.Hostname(), Clear: c.InsecureRedirects})
		}
	}
	a.logouts = a.backend.issuer.LogoutSender(func(ctx context.Context, to logout.Receiver, token string) error {
		return fetch.PostForm(ctx, posts[to.ClientID], to.URI, url.Values{"logout_token": {token}})
	})
	if a.logouts != nil {
		a.logouts.Start()
	}
}

// endLogouts ends that, and waits for what is on its way.
func (a *App) endLogouts() {
	if a.logouts != nil {
		a.logouts.Close()
	}
}
