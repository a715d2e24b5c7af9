package handler

import (
	"context"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// loginRequest is what a person signs in for: an authorization request, or a page of our own.
type loginRequest struct {
	auth *tokens.Authorization
	page *ownPage // where auth is nil
}

// ownPage is a page of ours that only a person who is signed in can see.
type ownPage struct {
	Path      string `json:"p"` // with its query, on our origin; made by us, never taken from a request as it is
	Purpose   string `json:"w"` // what the login page says it is for
	UILocales string `json:"u,omitempty"`
	Client    string `json:"c,omitempty"` // that the page is about; only whom it takes may sign in
	Caller    string `json:"h,omitempty"` // the host of a client of which nothing else is known yet, whose request Path is; in the place of Purpose
}

// textsFor returns the words for who signs in.
func (s *Server) textsFor(r *http.Request, req loginRequest) *pages.Texts {
	if req.page != nil {
		return s.texts(r, req.page.UILocales)
	}
	return s.texts(r, req.auth.UILocales)
}

// asking returns the application that a person signs in to, if it is configured, or a site.
func (s *Server) asking(req loginRequest) (*clients.Client, bool) {
	if a := req.auth; a != nil && a.Site != nil {
		c, err := s.Issuer.Asking(context.Background(), a) // which nobody has to be asked about
		return c, err == nil
	}
	return s.Issuer.Configured(req.client())
}

// client returns the client_id of the application, or "".
func (req loginRequest) client() string {
	if req.page != nil {
		return req.page.Client
	}
	return req.auth.ClientID
}
