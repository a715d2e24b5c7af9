package handler

import (
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
}

func (req loginRequest) texts() *pages.Texts {
	if req.page != nil {
		return pages.In(req.page.UILocales)
	}
	return pages.In(req.auth.UILocales)
}

// asking returns the application that a person signs in to; false for none.
func (s *Server) asking(req loginRequest) (*clients.Client, bool) {
	if req.auth != nil {
		return s.Issuer.Asking(req.auth)
	}
	return s.Issuer.Client(req.page.Client)
}

// client returns the client_id of the application, or "".
func (req loginRequest) client() string {
	if req.page != nil {
		return req.page.Client
	}
	return req.auth.ClientID
}
