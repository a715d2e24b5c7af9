// Package clientdoc knows clients by the metadata that they publish at their client_id, which
// is a URL. It says what such a document may say, when it is fetched, and keeps the last good
// one. How it is fetched it does not know (package fetch does it over HTTP), nor what a client
// may do.
//
// Begin reading at Document, then Book. See draft-ietf-oauth-client-id-metadata-document.
package clientdoc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Document is what counts of a client's metadata. It is plain JSON, as it is kept.
type Document struct {
	URL          string   `json:"client_id"`
	Name         string   `json:"client_name,omitempty"`
	RedirectURIs []string `json:"redirect_uris"` // as published: which of them may be used, others say
	Public       bool     `json:"public"`        // it may go without authenticating
	Keyed        bool     `json:"keyed"`         // it may authenticate by private_key_jwt; it has to where it is not Public
	// Algorithm is the one that its assertions are signed with; "" for that of each key.
	Algorithm jose.Algorithm  `json:"algorithm,omitempty"`
	JWKS      json.RawMessage `json:"jwks,omitempty"`
	JWKSURI   string          `json:"jwks_uri,omitempty"` // on the origin of URL
	NoRefresh bool            `json:"no_refresh,omitempty"`
}

// The bounds of a document.
const (
	// MaxBytes is how large a document, and a set of keys, may be, unpacked.
	MaxBytes = 64 << 10

	maxRedirectURIs = 50
	maxRedirectURI  = 1000     // bytes
	maxAllRedirects = 8 << 10  // bytes, together
	maxName         = 256      // bytes, of which fewer are shown
	maxKeys         = 16 << 10 // bytes of a set of keys
	methodNone      = "none"
	methodKey       = "private_key_jwt"
)

// members are those that are read of a document. The others are ignored.
type members struct {
	ID           string          `json:"client_id"`
	Name         string          `json:"client_name"`
	RedirectURIs []string        `json:"redirect_uris"`
	Method       string          `json:"token_endpoint_auth_method"`
	Methods      []string        `json:"token_endpoint_auth_methods_supported"`
	Algorithm    string          `json:"token_endpoint_auth_signing_alg"`
	GrantTypes   []string        `json:"grant_types"`
	JWKS         json.RawMessage `json:"jwks"`
	JWKSURI      string          `json:"jwks_uri"`
	Secret       json.RawMessage `json:"client_secret"`
}

// Parse reads the metadata that was found at a URL. An error says what of it is not good.
// See draft-ietf-oauth-client-id-metadata-document §4.1 and RFC 7591 §2.
func Parse(url string, text []byte) (*Document, error) {
	var m members
	if err := json.Unmarshal(text, &m); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return nil, fmt.Errorf("the member %s has the wrong type", wrong.Field)
		}
		return nil, errors.New("it is not a JSON object")
	}
	switch {
	case m.ID != url:
		return nil, fmt.Errorf("its client_id is %.300q, and not the URL that it is at", m.ID)
	case given(m.Secret):
		return nil, errors.New("it has a client_secret, which everybody can read")
	case len(m.RedirectURIs) == 0 || len(m.RedirectURIs) > maxRedirectURIs:
		return nil, fmt.Errorf("it has %d redirect_uris, and needs 1 to %d", len(m.RedirectURIs), maxRedirectURIs)
	case slices.ContainsFunc(m.RedirectURIs, func(uri string) bool { return len(uri) > maxRedirectURI }):
		return nil, fmt.Errorf("a redirect URI has more than %d bytes", maxRedirectURI)
	case len(strings.Join(m.RedirectURIs, "")) > maxAllRedirects:
		return nil, fmt.Errorf("its redirect_uris have more than %d bytes together", maxAllRedirects)
	}
	d := &Document{
		URL: url, Name: strings.ToValidUTF8(m.Name[:min(len(m.Name), maxName)], ""), RedirectURIs: m.RedirectURIs,
		NoRefresh: len(m.GrantTypes) > 0 && !slices.Contains(m.GrantTypes, string(oauth.GrantRefreshToken)),
	}
	if err := d.readMethods(&m); err != nil {
		return nil, err
	}
	return d, nil
}

// given reports whether a member is there and is not null.
func given(member json.RawMessage) bool { return len(member) > 0 && string(member) != "null" }

// readMethods reads how the client authenticates: one method, or one of several. Without a
// word it does not, since the default of RFC 7591 §2 is a secret, which no document can have.
func (d *Document) readMethods(m *members) error {
	methods := m.Methods
	if m.Method != "" {
		methods = append(slices.Clone(methods), m.Method)
	}
	d.Public, d.Keyed = len(methods) == 0 || slices.Contains(methods, methodNone), slices.Contains(methods, methodKey)
	if m.Method != "" && m.Method != methodNone && m.Method != methodKey || !d.Public && !d.Keyed {
		return fmt.Errorf("its token_endpoint_auth_method is %.60q: it can be %s or %s", m.Method, methodNone, methodKey)
	}
	if !d.Keyed {
		return nil
	}
	err := d.readKeys(m)
	if err != nil && d.Public { // and so needs none
		d.Keyed, d.JWKS, d.JWKSURI, err = false, nil, "", nil
	}
	return err
}

// readKeys finds the keys of a client: in the document, or on its own origin, where nobody else
// decides what they are.
func (d *Document) readKeys(m *members) error {
	d.Algorithm = jose.Algorithm(m.Algorithm)
	switch {
	case m.Algorithm != "" && !slices.Contains(jose.Algorithms(), d.Algorithm):
		return fmt.Errorf("its token_endpoint_auth_signing_alg is %.20q: take one such as ES256 or RS256", m.Algorithm)
	case given(m.JWKS) && m.JWKSURI != "":
		return errors.New("it has jwks and jwks_uri, and may have one of them (RFC 7591 §2)")
	case given(m.JWKS):
		d.JWKS = m.JWKS
		_, err := d.ParseKeys(m.JWKS)
		return err
	case m.JWKSURI == "":
		return errors.New("it authenticates by " + methodKey + " and has neither jwks nor jwks_uri")
	case !oauth.IsDocumentURL(m.JWKSURI) || oauth.DocumentOrigin(m.JWKSURI) != oauth.DocumentOrigin(d.URL):
		return fmt.Errorf("its jwks_uri %.300q is not on its own origin", m.JWKSURI)
	}
	d.JWKSURI = m.JWKSURI
	return nil
}

// ParseKeys reads a set of the client's keys. One that has a symmetric or a private key in it
// is refused as a whole: who has published those has lost more than one.
func (d *Document) ParseKeys(text []byte) ([]*jose.PublicKey, error) {
	var set struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || len(text) > maxKeys {
		return nil, fmt.Errorf("its keys are no JWK set of at most %d bytes", maxKeys)
	}
	for _, key := range set.Keys {
		for _, secret := range []string{"d", "p", "q", "k"} {
			if _, published := key[secret]; published {
				return nil, errors.New("a symmetric or private key is among its keys")
			}
		}
	}
	rsa := jose.RS256
	if d.Algorithm.RSA() {
		rsa = d.Algorithm
	}
	keys, err := jose.ParseKeySet(text, append([]jose.Algorithm{rsa}, jose.Algorithms()...)...)
	if err != nil {
		return nil, err
	}
	return keys.Keys(), nil
}
