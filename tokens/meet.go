package tokens

import (
	"context"
	"errors"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Meet looks at the document of the client that makes an authorization request, where it is
// known by one: ParseAuthorization then knows it. Only what could be answered makes this gateway
// fetch anything: the request has to be well formed. Errors: clientdoc.ErrSignIn, where
// nothing is fetched before the visitor has signed in; what ParseAuthorization refuses;
// TemporarilyUnavailable. None of them may be sent to the redirect URI, which nobody knows yet.
// See draft-ietf-oauth-client-id-metadata-document §5.
func (i *Issuer) Meet(ctx context.Context, params url.Values, v clientdoc.Visitor) error {
	id := params.Get("client_id")
	if len(params["client_id"]) != 1 || !i.clients.Publishes(id) {
		return nil
	}
	if err := parseSupported(nil, nil, params); err != nil {
		return err
	}
	if err := parseProof(&clients.Client{Type: clients.Native}, new(Authorization), params); err != nil {
		return err
	}
	if len(params["redirect_uri"]) == 0 {
		return oauth.Refuse(oauth.InvalidRequest, oauth.ReasonBadRedirect, "The redirect_uri is missing.")
	}
	c, err := i.clients.Look(ctx, id, v)
	if err == nil {
		err = i.clients.Keep(ctx, c) // the pages that follow may come from another node
	}
	if errors.Is(err, clients.ErrUnknown) {
		refused := oauth.Refuse(oauth.InvalidRequest, oauth.ReasonUnknownClient, "The application is unknown: its own metadata, at the address of its client_id, is missing or not valid.")
		refused.Cause = err
		return refused
	}
	return err
}
