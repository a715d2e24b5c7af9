package upstream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/handler/fetch"
)

// graphGroups is the first page of a person's groups, nested ones among them.
const graphGroups = "https://graph.microsoft.com/v1.0/me/transitiveMemberOf/microsoft.graph.group?$select=id&$top=999"

// maxPages bounds lists that come in pages.
const maxPages = 10

// getJSON asks a resource of the provider with an access token.
func (o *OIDC) getJSON(ctx context.Context, address, accessToken, accept string) ([]byte, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, errors.New("the address is not one")
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("Authorization", "Bearer "+accessToken)
	text, header, err := fetch.Document(o.client, r)
	if err != nil {
		return nil, header, withoutURL(err)
	}
	return text, header, nil
}

// graphMemberships asks Microsoft Graph for the groups of a person (F30).
func (o *OIDC) graphMemberships(ctx context.Context, accessToken string) ([]any, error) {
	first := cmp.Or(o.cfg.Endpoints.Graph, graphGroups)
	home, err := url.Parse(first)
	if err != nil {
		return nil, fmt.Errorf("reading address of Microsoft Graph: %w", err)
	}
	var all []any
	for next, pages := first, 0; next != ""; pages++ {
		if pages == maxPages {
			return nil, fmt.Errorf("asking Microsoft Graph: there are more than %d pages of groups", maxPages)
		}
		if at, err := url.Parse(next); err != nil || at.Scheme != home.Scheme || at.Host != home.Host {
			return nil, errors.New("asking Microsoft Graph: the next page is at another host")
		}
		text, _, err := o.getJSON(ctx, next, accessToken, "application/json")
		if err != nil {
			return nil, fmt.Errorf("asking Microsoft Graph: %w", err)
		}
		var page struct {
			Value []struct {
				ID string `json:"id"`
			} `json:"value"`
			Next string `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return nil, errors.New("asking Microsoft Graph: the answer is no page of groups")
		}
		for _, group := range page.Value {
			all = append(all, group.ID)
		}
		next = page.Next
	}
	return all, nil
}
