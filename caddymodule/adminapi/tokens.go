package adminapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// tokenToDeny is the body of POST /oauth/tokens/deny. It is no query, so that
// the token is in no log.
type tokenToDeny struct {
	Token   string `json:"token,omitempty"`
	Subject string `json:"subject,omitempty"`
	ID      string `json:"jti,omitempty"`
}

// deniedToken answers it.
type deniedToken struct {
	Subject string `json:"subject"`
	ID      string `json:"jti"`
	Client  string `json:"client,omitempty"`
}

func (a *API) denyToken(c *call) (any, error) {
	var body tokenToDeny
	decoder := json.NewDecoder(io.LimitReader(c.Body, 64<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		return nil, badRequest(`the body is not JSON with "token", or with "subject" and "jti"`) // err may quote the token
	}
	switch {
	case body.Token != "" && (body.Subject != "" || body.ID != ""):
		return nil, badRequest("token: alone, or subject and jti without it")
	case body.Token != "":
		return a.denyText(c, body.Token)
	case body.Subject == "":
		return nil, errNoSubject
	}
	id, ok := storage.ParseTokenID(body.ID)
	if !ok {
		return nil, badRequest("jti: not that of an access token of this server")
	}
	c.event.Subject = body.Subject
	if err := a.checkUser(c, body.Subject); err != nil {
		return nil, err
	}
	return deniedToken{Subject: body.Subject, ID: body.ID}, a.Operator.DenyTokenID(c.Context(), body.Subject, id)
}

func (a *API) denyText(c *call, token string) (any, error) {
	claims, err := a.Operator.DenyAccessToken(c.Context(), token)
	if errors.Is(err, admin.ErrNotOurs) {
		return nil, badRequest("token: %w", err)
	}
	if err != nil {
		return nil, err
	}
	c.event.Subject, c.event.Client = claims.Subject, claims.ClientID
	return deniedToken{Subject: claims.Subject, ID: claims.ID, Client: claims.ClientID}, nil
}

// checkDeny demands both names of a token, or none.
func checkDeny(asked url.Values) error {
	if asked.Has("subject") != asked.Has("jti") {
		return errors.New("--subject and --jti belong together")
	}
	return nil
}

func showDenied(p *Printer, _ url.Values, answer deniedToken) {
	p.Printf("denied: the access token %s of %s\n", answer.ID, answer.Subject)
}
