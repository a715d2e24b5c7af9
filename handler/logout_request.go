package handler

import (
	"net/url"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// logoutRequest is a request to sign a person out and then to go on somewhere.
type logoutRequest struct {
	ClientID string `json:"c,omitempty"` // a registered client, or ""
	To       string `json:"t,omitempty"` // validated; "" for none
	State    string `json:"s,omitempty"`
	// UILocales are the languages that were asked for.
	UILocales string `json:"l,omitempty"`
	Login     string `json:"p,omitempty"` // by which the person had signed in, as far as it is known
	Stray     string `json:"x,omitempty"` // the address that was asked for and is not known to be the application's, as it may be shown
}

// readLogout validates who asks and where they want the person to go. The
// address must be registered (§3).
func (s *Server) readLogout(q url.Values, hint *tokens.LogoutHint) (*logoutRequest, error) {
	req := &logoutRequest{ClientID: q.Get("client_id"), State: q.Get("state")}
	if hint != nil {
		if req.ClientID != "" && req.ClientID != hint.ClientID {
			return nil, wire.Malformed("The client_id does not match the id_token_hint.")
		}
		req.ClientID = hint.ClientID
	}
	client, ok := s.Issuer.Configured(req.ClientID)
	if !ok {
		req.ClientID = ""
	}
	if to := q.Get("post_logout_redirect_uri"); to != "" {
		if ok && oauth.MatchLogout(client.LogoutURIs, to) {
			req.To = to
		} else {
			req.Stray = oauth.PrintableURI(to)
		}
	}
	return req, nil
}
