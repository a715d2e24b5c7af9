package caddymodule

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// userInfo is a user as operators see them.
type userInfo struct {
	Subject  string `json:"subject"`
	User     string `json:"user"`  // the hash of the subject, as in the log
	Known    bool   `json:"known"` // has logged in, and is remembered
	Disabled bool   `json:"disabled"`
	Grants   int    `json:"grants"`
	Sessions int    `json:"sessions"`
}

// changedUser answers what disables and enables.
type changedUser struct {
	Subject  string `json:"subject"`
	Disabled bool   `json:"disabled"` // from now on
	Changed  bool   `json:"changed"`  // it was not so before
	Known    bool   `json:"known"`    // has logged in, and is remembered
	Ended    int    `json:"ended"`    // refresh token families that lived until now
}

func describeUser(u tokens.UserState) userInfo {
	info := userInfo{Subject: u.Subject, User: u.User.String(), Known: u.Known, Disabled: u.Disabled, Grants: u.Families, Sessions: u.Sessions}
	if info.Subject == "" {
		info.Subject = unnamed(u.User)
	}
	return info
}

// findUser returns what is known of a subject, or of the hash of one as the log
// and the list of those who are disabled show it. No subject looks like a hash:
// each has a | or an @.
func (a *adminAPI) findUser(c *adminCall) (tokens.UserState, error) {
	user, isHash := tokens.ParseUserTag(c.name)
	if !isHash {
		user = tokens.TagSubject(c.name)
	}
	u, err := a.operator().User(c.Context(), user)
	if !isHash {
		u.Subject = c.name
	}
	c.event.Subject, c.event.User = u.Subject, user
	if err != nil {
		return u, coreError(err)
	}
	return u, a.checkTag(c, user, c.name)
}

func (a *adminAPI) showUser(c *adminCall) (any, error) {
	u, err := a.findUser(c)
	return describeUser(u), err
}

func (a *adminAPI) listUsers(c *adminCall) (any, error) {
	if c.get("disabled") != "true" {
		return nil, badRequest("disabled: missing; only those who are disabled can be listed: write disabled=true")
	}
	stream, n := c.begin(), 0
	err := a.operator().ScanDisabled(c.Context(), func(u tokens.UserState) error {
		n++
		return stream.line("user", describeUser(u))
	})
	return struct {
		Users int `json:"users"`
	}{n}, coreError(err)
}

func (a *adminAPI) disableUser(c *adminCall) (any, error) {
	u, err := a.findUser(c)
	if err != nil {
		return nil, err
	}
	result, err := a.operator().DisableUser(c.Context(), u.User, u.Subject)
	if err != nil {
		return nil, coreError(err)
	}
	return changedUser{Subject: describeUser(u).Subject, Disabled: true, Changed: !u.Disabled, Known: u.Known, Ended: len(result.Families)}, nil
}

func (a *adminAPI) enableUser(c *adminCall) (any, error) {
	u, err := a.findUser(c)
	if err != nil {
		return nil, err
	}
	was, err := a.operator().EnableUser(c.Context(), u.User)
	if err != nil {
		return nil, coreError(err)
	}
	return changedUser{Subject: describeUser(u).Subject, Changed: was, Known: u.Known}, nil
}

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

func (a *adminAPI) denyToken(c *adminCall) (any, error) {
	var body tokenToDeny
	decoder := json.NewDecoder(io.LimitReader(c.Body, 64<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		return nil, badRequest(`the body is no JSON with "token", or with "subject" and "jti"`) // err may quote the token
	}
	switch {
	case body.Token != "" && (body.Subject != "" || body.ID != ""):
		return nil, badRequest("token: alone, or subject and jti without it")
	case body.Token != "":
		return a.denyText(c, body.Token)
	case body.Subject == "":
		return nil, errNoSubject
	}
	id, ok := tokens.ParseTokenID(body.ID)
	if !ok {
		return nil, badRequest("jti: not one of an access token of this server")
	}
	c.event.Subject = body.Subject
	if err := a.checkUser(c, body.Subject); err != nil {
		return nil, err
	}
	if err := a.operator().DenyTokenID(c.Context(), body.Subject, id); err != nil {
		return nil, coreError(err)
	}
	return deniedToken{Subject: body.Subject, ID: body.ID}, nil
}

func (a *adminAPI) denyText(c *adminCall, token string) (any, error) {
	claims, err := a.operator().DenyAccessToken(c.Context(), token)
	if errors.Is(err, tokens.ErrNotOurs) {
		return nil, badRequest("token: %w", err)
	}
	if err != nil {
		return nil, coreError(err)
	}
	c.event.Subject, c.event.Client = claims.Subject, claims.ClientID
	return deniedToken{Subject: claims.Subject, ID: claims.ID, Client: claims.ClientID}, nil
}
