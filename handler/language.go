package handler

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
)

// texts returns the words of a page, in a language that the application asks for, or
// else one that the browser wants.
func (s *Server) texts(r *http.Request, uiLocales string) *pages.Texts {
	return s.pages.In(uiLocales, r.Header.Get("Accept-Language"))
}
