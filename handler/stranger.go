package handler

import (
	"context"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// stranger says what a person has to know of a client that nobody registered, nil for
// another. Without it nobody may be asked, so an error is the page's. What the client says of itself proves nothing, so it leads with where the answer
// goes, which the client cannot choose freely.
func (s *Server) stranger(ctx context.Context, a *tokens.Authorization) (*pages.Stranger, error) {
	c, err := s.Issuer.Client(ctx, a.ClientID)
	if err != nil || !c.Unregistered() {
		return nil, err
	}
	p := callerAt(a.RedirectURI)
	p.Name, p.API = cutName(c.Name), strings.Join(a.Audiences, " ")
	if u, err := url.Parse(a.ClientID); err == nil && c.Origin == clients.Document {
		p.Host = u.Host
	}
	return &p, nil
}

// callerAt says where the answers of an application go that nobody registered.
func callerAt(redirectURI string) pages.Stranger {
	p := pages.Stranger{Destination: destinationOf(redirectURI)}
	u, err := url.Parse(redirectURI)
	if p.Here = err != nil || u.Scheme != "https"; p.Here && u != nil && u.Scheme == "http" {
		p.Destination = "" // which program listens at a port of this machine, nobody knows
	}
	return p
}

// maxShownName is how much is shown of a name that a client has given itself, in characters.
const maxShownName = 40

func cutName(name string) string {
	if utf8.RuneCountInString(name) <= maxShownName {
		return name
	}
	return string([]rune(name)[:maxShownName-1]) + "…"
}

// callerName returns what the login page calls who asks: a client of the configuration by
// its name, another by where the answer goes.
func (s *Server) callerName(ctx context.Context, req loginRequest, t *pages.Texts) string {
	if req.auth != nil {
		if p, _ := s.stranger(ctx, req.auth); p != nil {
			return p.Caller(t)
		}
	}
	if req.page != nil && req.page.Caller != "" {
		return req.page.Caller
	}
	return s.clientName(req.client())
}
