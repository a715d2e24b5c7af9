package storage

import (
	"encoding/json"
	"fmt"
)

// Grant is what a person agreed to, and how they proved who they are. It never changes in
// a family, so a refresh token carries its content hash under the MAC, and the
// store keeps each distinct text once, as long as a family may have it. The ACR
// is one of those that logins are configured with, never text from a request.
type Grant struct {
	Scopes    []string `json:"scopes"`
	Audiences []string `json:"audiences,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	Site      string   `json:"site,omitempty"`  // the origin of the site whose session it is; "" for an application
	Keys      bool     `json:"keys,omitempty"`  // the site takes app keys
	Keyed     bool     `json:"keyed,omitempty"` // its client is known by its document, and authenticates by a key
	Key       string   `json:"key,omitempty"`   // what the person calls it, where it is an app key for the site
	// Agreed and Client are set of a consent alone, which has nothing else (Consent.Agreed). Client
	// is the client_id, so that it can be told of one whose tag alone is kept.
	Agreed Agreed `json:"agreed,omitempty"`
	Client string `json:"client,omitempty"`
}

// Text returns the canonical text and its hash.
func (g Grant) Text() ([]byte, GrantID, error) {
	b, err := json.Marshal(g)
	if err != nil {
		return nil, GrantID{}, fmt.Errorf("encoding grant: %w", err)
	}
	return b, GrantIDOf(b), nil
}

// GrantIDOf returns the id of a grant's canonical text, see Grant.Text.
func GrantIDOf(text []byte) GrantID {
	h := Hash16("grant", text)
	return GrantID(h[:12])
}
