package clients

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/clientid"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Policy is what clients may do that no configuration names.
type Policy struct {
	APIs []string // identifiers
	// Usual are the scopes that they get where they ask for none of an API's.
	Usual         []string
	RedirectHosts []string // to which https redirect URIs may lead
	Refresh       RefreshPolicy
}

// registered returns the client that an id says it is. What it has registered counts as
// far as it may be registered today.
func (p *Policy) registered(keys *clientid.Keys, id string, m clientid.Metadata) *Client {
	c := p.client(id, Registered, storage.AllRegistered.Of(keys.Tag(id)), m.Name)
	for _, uri := range m.RedirectURIs {
		if kept, ok := oauth.UnregisteredRedirect(uri, p.RedirectHosts); ok {
			c.RedirectURIs = append(c.RedirectURIs, kept)
		}
	}
	c.Refresh.Never = m.NoRefresh
	if m.Method != clientid.MethodNone {
		c.Type, c.SecretHashes = Web, []string{HashSecret(keys.Secret(id))}
	}
	return c
}

// client returns a client that no configuration names. It has no logout address, no
// origin, no device code, no tokens for itself, and none of the other powers of those that
// an operator knows: whoever asks for what a client may do finds that it may not.
func (p *Policy) client(id string, origin Origin, tag storage.ClientTag, name string) *Client {
	return &Client{
		ID: id, Origin: origin, Name: name, Type: Native, APIs: p.APIs, Usual: p.Usual,
		OIDCConformant: true, PKCERequired: true, Consent: ConsentAlways, Refresh: p.Refresh, tag: tag,
	}
}

// redirects returns those of the redirect URIs that may be registered: as they came, and
// as they are kept, each once.
func (p *Policy) redirects(uris []string) (taken, kept []string) {
	for _, uri := range uris {
		k, ok := oauth.UnregisteredRedirect(uri, p.RedirectHosts)
		if !ok || slices.Contains(taken, uri) {
			continue
		}
		taken = append(taken, uri)
		if !slices.Contains(kept, k) {
			kept = append(kept, k)
		}
	}
	return taken, kept
}
