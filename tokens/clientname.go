package tokens

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// NamedClient is a client as people and operators are told of it. Of one that no configuration
// names nothing is kept but its tag: the rest comes from what people have agreed to, from its
// document, and from what this node has seen.
type NamedClient struct {
	// ID is what operators call it: its client_id where it is of the configuration, or of a site,
	// and the text of its tag for any other.
	ID     string
	Client *clients.Client // nil for one that no configuration names
	Name   string          // "" where nobody knows it
	// Claimed says that the client has given itself the Name, which proves nothing.
	Claimed bool
	URL     string // of the metadata that it publishes, as far as it is known
	Host    string // of that URL
	// RedirectURIs are where answers go, of a client that nobody registered, as far as that is
	// known: those that the person has agreed to, or else all.
	RedirectURIs []string
}

// clientName says what is known of the client with a tag: by the consent of a person to it,
// which is zero where there is none, and the text of that.
func (i *Issuer) clientName(ctx context.Context, tag storage.ClientTag, consent storage.Consent, text storage.Grant) NamedClient {
	if c, ok := i.clients.Tagged(tag); ok {
		return NamedClient{ID: c.ID, Client: c, Name: cmp.Or(c.Name, c.ID)}
	}
	n := NamedClient{ID: tag.String(), Name: consent.Name}
	if !tag.Unregistered() {
		return n
	}
	n.Claimed = true
	if consent.Host {
		n.Name, n.Host, n.URL = "", consent.Name, text.Client
	}
	c, ok := i.clients.Seen(tag)
	if text.Client != "" {
		if made, err := i.clients.Resolve(ctx, text.Client); err == nil {
			c, ok = made, true
		}
	}
	if ok {
		n.Name, n.RedirectURIs = c.Name, c.RedirectURIs
		if c.Origin == clients.Document {
			n.URL, n.Host = c.ID, documentHost(c.ID)
		}
	}
	if len(text.Agreed) > 0 {
		n.RedirectURIs = slices.Sorted(maps.Keys(text.Agreed))
	}
	return n
}

// documentHost returns the host of a client_id that is a URL.
func documentHost(id string) string { return strings.TrimPrefix(oauth.DocumentOrigin(id), "https://") }

// NameClient says what is known of a client by what a history or an operator calls it:
// its client_id, or NamedClient.ID.
func (i *Issuer) NameClient(ctx context.Context, user storage.UserTag, ref string) (NamedClient, error) {
	if _, ok := sites.OriginOf(ref); ok {
		return NamedClient{ID: ref}, nil
	}
	names, err := i.nameTags(ctx, user, i.TagOf(ref))
	if err != nil {
		return NamedClient{}, err
	}
	n := names[0]
	if n.Name == "" && !n.Claimed && n.ID != ref {
		n.Name = ref // it was of the configuration
	}
	return n, nil
}

// NameClientOf says what is known of the client with a tag, by one of its families and the consent of
// somebody to it, each zero for none.
func (i *Issuer) NameClientOf(ctx context.Context, tag storage.ClientTag, f storage.Family, consent storage.Consent) (NamedClient, error) {
	if site, err := i.siteOf(ctx, f); err != nil || site.ID != "" {
		return site, err
	}
	var text storage.Grant
	if consent.Agreed != (storage.GrantID{}) {
		var err error
		if text, _, err = i.state.Grants.Look(ctx, consent.Agreed); err != nil {
			return NamedClient{}, oauth.Unavailable(err)
		}
	}
	return i.clientName(ctx, tag, consent, text), nil
}

// NameClientsOf says what is known of the clients of a user's families, in the same order.
func (i *Issuer) NameClientsOf(ctx context.Context, user storage.UserTag, families ...storage.Family) ([]NamedClient, error) {
	names, unknown := make([]NamedClient, len(families)), make([]storage.ClientTag, 0, len(families))
	places := make([]int, 0, len(families))
	for n, f := range families {
		site, err := i.siteOf(ctx, f)
		switch {
		case err != nil:
			return nil, err
		case site.ID != "":
			names[n] = site
		default:
			unknown, places = append(unknown, f.Client), append(places, n)
		}
	}
	found, err := i.nameTags(ctx, user, unknown...)
	for n, place := range places[:len(found)] {
		names[place] = found[n]
	}
	return names, err
}

// siteOf returns the site that a family is of, the zero NamedClient for none.
func (i *Issuer) siteOf(ctx context.Context, f storage.Family) (NamedClient, error) {
	if _, ok := i.clients.Tagged(f.Client); ok || f.Client.Unregistered() || f.Grant == (storage.GrantID{}) {
		return NamedClient{}, nil
	}
	grant, _, err := i.state.Grants.Look(ctx, f.Grant)
	switch {
	case err != nil:
		return NamedClient{}, oauth.Unavailable(err)
	case grant.Site == "":
		return NamedClient{}, nil
	case grant.Key != "":
		return NamedClient{ID: sites.KeysID(grant.Site)}, nil
	}
	return NamedClient{ID: sites.ClientID(grant.Site)}, nil
}

// nameTags says what is known of clients, by what a user has agreed to at those that no
// configuration names: in two calls of the store, and one for each document that this node does
// not hold.
func (i *Issuer) nameTags(ctx context.Context, user storage.UserTag, tags ...storage.ClientTag) ([]NamedClient, error) {
	agreed, texts := make(map[storage.ClientTag]storage.Consent), make(map[storage.GrantID]storage.Grant)
	if slices.ContainsFunc(tags, func(tag storage.ClientTag) bool { _, ok := i.clients.Tagged(tag); return !ok }) {
		all, err := i.state.Store.Consents(ctx, user)
		if err != nil {
			return nil, oauth.Unavailable(err)
		}
		ids := make([]storage.GrantID, 0, len(all))
		for _, c := range all {
			if slices.Contains(tags, c.Client) {
				agreed[c.Client], ids = c, append(ids, c.Agreed)
			}
		}
		grants, err := i.state.Grants.LookAll(ctx, ids)
		if err != nil {
			return nil, oauth.Unavailable(err)
		}
		for n, id := range ids {
			texts[id] = grants[n]
		}
	}
	names := make([]NamedClient, len(tags))
	for n, tag := range tags {
		names[n] = i.clientName(ctx, tag, agreed[tag], texts[agreed[tag].Agreed])
	}
	return names, nil
}
