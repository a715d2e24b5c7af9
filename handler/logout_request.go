package handler

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// logoutRequest is a request to sign a person out and then to go on somewhere.
type logoutRequest struct {
	ClientID string `json:"c,omitempty"` // a registered client, or ""
	To       string `json:"t,omitempty"` // validated; "" for none
	State    string `json:"s,omitempty"`
	Stray    string `json:"x,omitempty"` // the address that was asked for and is not known to be the application's, as it may be shown
}

// readLogout validates who asks and where they want the person to go. The
// address must be registered (§3).
func (s *Server) readLogout(r *http.Request, q url.Values, hint *tokens.LogoutHint) (*logoutRequest, error) {
	req := &logoutRequest{ClientID: q.Get("client_id"), State: q.Get("state")}
	if hint != nil {
		if req.ClientID != "" && req.ClientID != hint.ClientID {
			return nil, s.about(req.ClientID, wire.Malformed("The client_id does not match the id_token_hint."))
		}
		req.ClientID = hint.ClientID
	}
	client, ok := s.Issuer.Client(req.ClientID)
	if !ok {
		req.ClientID = ""
	}
	if to := q.Get("post_logout_redirect_uri"); to != "" {
		if ok && oauth.MatchLogout(client.LogoutURIs, to) {
			req.To = to
		} else {
			req.Stray = oauth.PrintableURI(to)
			s.report(r.Context(), "logout", s.logoutRefused("The post_logout_redirect_uri is not one that the application has registered.", q.Get("client_id"), client, to))
		}
	}
	return req, nil
}

// logoutRefused is the refusal of an address to go on to, which nobody has registered.
func (s *Server) logoutRefused(description, id string, client *clients.Client, to string) error {
	if client == nil {
		if id == "" {
			description = "There is neither id_token_hint nor client_id, which say whose address it is."
		}
		return oauth.Refuse(oauth.InvalidRequest, oauth.ReasonUnknownClient, description).
			With(oauth.Mismatch{Sent: id, Registered: s.Issuer.ClientIDs(), Option: "client"})
	}
	return s.about(client.ID, oauth.Refuse(oauth.InvalidRequest, oauth.ReasonBadRedirect, description).
		With(oauth.Mismatch{Sent: oauth.PrintableURI(to), Registered: client.LogoutURIs, Option: "logout_uris"}))
}
