package handler

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// visit is what a person signs in for: an authorization request, or a page of our own.
type visit struct {
	auth *tokens.Authorization
	page *ownPage // where auth is nil
}

// ownPage is a page of ours that only a person who is signed in can see.
type ownPage struct {
	Path      string `json:"p"` // with its query, on our origin; made by us, never taken from a request as it is
	Purpose   string `json:"w"` // what the login page says it is for
	UILocales string `json:"u,omitempty"`
}

func (v visit) texts() *pages.Texts {
	if v.page != nil {
		return pages.In(v.page.UILocales)
	}
	return pages.In(v.auth.UILocales)
}

// client returns the client_id of the application, or "".
func (v visit) client() string {
	if v.page != nil {
		return ""
	}
	return v.auth.ClientID
}

// signedIn takes a person who has just signed in on to what they came for.
func (s *Server) signedIn(w http.ResponseWriter, r *http.Request, v visit, l *tokens.Login) error {
	if v.page != nil {
		s.redirect(w, v.page.Path)
		return nil
	}
	return s.proceed(w, r, v.auth, progress{login: l, fresh: true})
}

// notSignedIn answers a person who does not want to sign in.
func (s *Server) notSignedIn(w http.ResponseWriter, v visit) error {
	if v.page == nil {
		return s.answerError(w, v.auth, &tokens.Error{Code: tokens.AccessDenied, Description: "The person did not sign in."})
	}
	t := v.texts()
	html, err := s.pages.Message(t, pages.Message{Title: t.NotSignedInTitle, Text: t.NothingChanged})
	s.writePage(w, http.StatusOK, html, err, pageOptions{})
	return nil
}
