package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Grant is what a person agreed to, and how they proved who they are. It never changes in
// a family, so a refresh token carries its content hash under the MAC, and the
// store keeps each distinct text once.
type Grant struct {
	Scopes    []string `json:"scopes"`
	Audiences []string `json:"audiences,omitempty"`
	ACR       string   `json:"acr,omitempty"`
}

// text returns the canonical text and its hash.
func (g Grant) text() ([]byte, GrantID, error) {
	b, err := json.Marshal(g)
	if err != nil {
		return nil, GrantID{}, fmt.Errorf("encoding grant: %w", err)
	}
	return b, grantID(b), nil
}

func grantID(text []byte) GrantID {
	h := hash16("grant", text)
	return GrantID(h[:12])
}

// maxGrantsHeld bounds the grants a node keeps in memory. Distinct grants are
// few: they are combinations of configured scopes.
const maxGrantsHeld = 10_000

// grantCache holds grants by content hash. They are immutable, so it needs no
// expiry; the store is asked once per node and grant.
type grantCache struct {
	store Families
	mu    sync.RWMutex
	held  map[GrantID]Grant
}

func newGrantCache(store Families) *grantCache {
	return &grantCache{store: store, held: make(map[GrantID]Grant)}
}

// get returns a grant, or false when neither memory nor store knows it.
func (c *grantCache) get(ctx context.Context, id GrantID) (Grant, bool, error) {
	c.mu.RLock()
	g, ok := c.held[id]
	c.mu.RUnlock()
	if ok {
		return g, true, nil
	}
	text, err := c.store.Grant(ctx, id)
	if err != nil || text == nil {
		return Grant{}, false, err
	}
	if grantID(text) != id {
		return Grant{}, false, errors.New("reading grant: its text has another hash")
	}
	if err := json.Unmarshal(text, &g); err != nil {
		return Grant{}, false, fmt.Errorf("reading grant: %w", err)
	}
	c.keep(id, g)
	return g, true, nil
}

// put makes sure that the store has the grant. It asks the store each time: one
// that has lost it would refuse every refresh of it on the other nodes.
func (c *grantCache) put(ctx context.Context, g Grant) (GrantID, error) {
	text, id, err := g.text()
	if err != nil {
		return id, err
	}
	if err := c.store.PutGrant(ctx, id, text); err != nil {
		return id, err
	}
	if err := c.agree(ctx, id, text); err != nil {
		return id, err
	}
	c.keep(id, g)
	return id, nil
}

func (c *grantCache) keep(id GrantID, g Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) >= maxGrantsHeld {
		clear(c.held)
	}
	c.held[id] = g
}
