package upstream

import (
	"context"
	"errors"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// source says who somebody is, by the tokens that came for them. Errors: a *login.FailedError,
// but for renew.
type source interface {
	// ask asks about the person of a token answer. The departure is nil in a recheck.
	ask(ctx context.Context, doc *metadata, token *oauth2.Token, d *login.Departure) (*facts, error)
	// keep returns what renew takes the next time, "" for nothing.
	keep(token *oauth2.Token) string
	// renew gets new tokens. Errors: as askToken.
	renew(ctx context.Context, doc *metadata, kept string) (*oauth2.Token, error)
}

// openID is a source by ID token and userinfo.
type openID struct{ *OIDC }

func (o openID) ask(ctx context.Context, doc *metadata, token *oauth2.Token, d *login.Departure) (*facts, error) {
	f := new(facts)
	raw := idTokenOf(token)
	switch {
	case raw != "":
		claims, err := o.checkIDToken(ctx, doc, raw, idTokenCheck{accessToken: token.AccessToken, departure: d})
		if err != nil {
			o.tellIDToken(ctx, err)
			return nil, err
		}
		f.token = claims
	case d != nil:
		return nil, failed(login.FailedBroken, reasonIDToken, errors.New("reading token answer: it has no id_token"))
	}
	if err := o.askUserinfo(ctx, doc, token.AccessToken, f); err != nil {
		return nil, err
	}
	if !o.cfg.tooManyGroups(f) {
		return f, nil
	}
	f.groupsUnknown = true
	if o.cfg.Overage {
		groups, err := o.graphMemberships(ctx, token.AccessToken)
		if err != nil {
			o.cfg.Logger.WarnContext(ctx, "the groups of a person are not known", "login", o.cfg.Name, "error", err)
			return f, nil
		}
		f.token[o.cfg.GroupsClaims[0]], f.groupsUnknown = groups, false
	}
	return f, nil
}

func (o openID) keep(token *oauth2.Token) string { return token.RefreshToken }

func (o openID) renew(ctx context.Context, doc *metadata, kept string) (*oauth2.Token, error) {
	return o.askToken(ctx, doc, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {kept}})
}

// idTokenOf returns the ID token of a token answer, "" for none.
func idTokenOf(token *oauth2.Token) string { return textOf(token.Extra("id_token")) }
