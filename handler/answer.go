package handler

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// answerCode sends the authorization code to the client.
func (s *Server) answerCode(w http.ResponseWriter, r *http.Request, a *tokens.Authorization, code string) error {
	return s.answer(w, r, a, codeFields(code))
}

// codeFields are the parameters of a successful answer. See RFC 6749 §4.1.2.
func codeFields(code string) []pages.Field { return []pages.Field{{Name: "code", Value: code}} }

// answerError sends an error to the client, or shows it to the person where nobody has asked
// them whether the client's program may be opened.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, a *tokens.Authorization, e *oauth.Error) error {
	if s.opensUnasked(r, a) {
		return e
	}
	return s.answer(w, r, a, errorFields(e))
}

// errorFields are the parameters of an error answer. See RFC 6749 §4.1.2.1.
func errorFields(e *oauth.Error) []pages.Field {
	fields := []pages.Field{{Name: "error", Value: string(e.Code)}}
	if d := wire.Quotable(e.Description); d != "" {
		fields = append(fields, pages.Field{Name: "error_description", Value: d})
	}
	return fields
}

// answer sends an authorization response to the validated redirect URI, in the
// response mode that was asked for. Every one names the issuer, against mix-up
// (RFC 9207 §2), and returns the state byte for byte.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, a *tokens.Authorization, fields []pages.Field) error {
	if a.State != "" {
		fields = append(fields, pages.Field{Name: "state", Value: a.State})
	}
	fields = append(fields, pages.Field{Name: "iss", Value: s.IssuerURL})
	switch a.ResponseMode {
	case tokens.ModeFormPost:
		s.answerFormPost(w, r, a, fields)
	case tokens.ModeWebMessage:
		s.answerWebMessage(w, r, a, fields)
	case tokens.ModeFragment:
		s.redirect(w, appendFields(a.RedirectURI, '#', fields))
	case tokens.ModeQuery:
		fallthrough
	default:
		s.redirect(w, appendQuery(a.RedirectURI, fields))
	}
	return nil
}

// answersByRedirect reports whether an authorization response takes the browser
// to the application at once, and not by a page of ours.
func answersByRedirect(a *tokens.Authorization) bool {
	return a.ResponseMode != tokens.ModeFormPost && a.ResponseMode != tokens.ModeWebMessage
}

// redirect sends the browser on with a GET: 303, never 307, which would post
// the password to the client (RFC 9700 §4.12). Browsers ask whether a page may
// be framed where they arrive, so that a hidden frame still renews a login.
func (s *Server) redirect(w http.ResponseWriter, to string) {
	h := w.Header()
	s.protect(h, pageOptions{})
	h.Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// answerFormPost sends a page that posts itself on. See OAuth 2.0 Form Post Response Mode §2.
func (s *Server) answerFormPost(w http.ResponseWriter, r *http.Request, a *tokens.Authorization, fields []pages.Field) {
	n := nonce()
	html, err := s.pages.FormPost(s.texts(r, a.UILocales), pages.FormPost{
		Target: template.URL(a.RedirectURI), //nolint:gosec // registered by the operator and compared
		Client: s.clientName(a.ClientID),
		Fields: fields,
		Nonce:  n,
	})
	s.writePage(w, http.StatusOK, html, err, pageOptions{form: true, leaves: true, script: n})
}

// answerWebMessage sends a page that hands the answer to the window that
// opened it, which must be of the redirect URI's origin: postMessage sees to
// that. Only an answer to prompt=none may be framed, and only by that origin.
func (s *Server) answerWebMessage(w http.ResponseWriter, r *http.Request, a *tokens.Authorization, fields []pages.Field) {
	o := pageOptions{script: nonce()}
	origin := oauth.OriginOf(a.RedirectURI)
	if silent(a) {
		o.framedBy = origin
	}
	response := make(map[string]string, len(fields))
	for _, f := range fields {
		response[f.Name] = f.Value
	}
	html, err := s.pages.WebMessage(s.texts(r, a.UILocales), pages.WebMessage{Origin: origin, Response: response, Nonce: o.script})
	s.writePage(w, http.StatusOK, html, err, o)
}

// appendQuery adds the fields to a URI's query as text, so that what was
// registered stays as it is. A space is %20: apps do not all read "+".
func appendQuery(uri string, fields []pages.Field) string {
	if strings.Contains(uri, "?") {
		return appendFields(uri, '&', fields)
	}
	return appendFields(uri, '?', fields)
}

// appendFields adds the fields to a URI, the first of them after sep.
func appendFields(uri string, sep byte, fields []pages.Field) string {
	var b strings.Builder
	b.WriteString(uri)
	for _, f := range fields {
		b.WriteByte(sep)
		b.WriteString(f.Name)
		b.WriteByte('=')
		b.WriteString(strings.ReplaceAll(url.QueryEscape(f.Value), "+", "%20"))
		sep = '&'
	}
	return b.String()
}

// silent reports whether the request must be answered without a page to click on.
func silent(a *tokens.Authorization) bool { return slices.Contains(a.Prompt, tokens.PromptNone) }
