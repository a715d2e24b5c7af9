package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// maxGrantsHeld bounds the grants a node keeps in memory. Distinct grants are
// few: they are combinations of configured scopes.
const maxGrantsHeld = 10_000

// Grants holds grants by content hash, and until when the store keeps them, as
// far as this node knows: so the store is asked when a grant is new here, and once
// in an eighth of the time that it is kept for.
type Grants struct {
	store storage.Families
	clock func() time.Time
	mu    sync.RWMutex
	held  map[storage.GrantID]heldGrant
}

type heldGrant struct {
	grant storage.Grant
	kept  time.Time // until when the store has it; zero where that is not known
	again time.Time // before then a use does not ask the store to keep it longer: it could not
}

// grantRetry is how long a use waits for nothing after the store could not keep a
// grant longer: there is time, and where grants lie on a part of a Cluster that is
// down, nobody else has to notice.
const grantRetry = time.Minute

func newGrantCache(store storage.Families, clock func() time.Time) *Grants {
	return &Grants{store: store, clock: clock, held: make(map[storage.GrantID]heldGrant)}
}

// Get returns the grant of a family or consent that is used, or false when neither memory nor
// store knows it, and sees to it that the store has it for as long from now on as that may
// live, 0 for good. If that fails, a later use does it.
func (c *Grants) Get(ctx context.Context, id storage.GrantID, keep time.Duration) (storage.Grant, bool, error) {
	h, known, err := c.find(ctx, id)
	if err != nil || !known {
		return storage.Grant{}, false, err
	}
	if now := c.clock(); !now.Before(h.again) {
		if err := c.Put(ctx, h.grant, keep); err != nil {
			h.again = now.Add(grantRetry)
			c.keep(id, h)
		}
	}
	return h.grant, true, nil
}

// Look returns a grant that nobody uses now, or false when neither memory nor store knows it.
func (c *Grants) Look(ctx context.Context, id storage.GrantID) (storage.Grant, bool, error) {
	h, known, err := c.find(ctx, id)
	return h.grant, known, err
}

func (c *Grants) find(ctx context.Context, id storage.GrantID) (heldGrant, bool, error) {
	c.mu.RLock()
	h, ok := c.held[id]
	c.mu.RUnlock()
	if ok {
		return h, true, nil
	}
	text, err := c.store.Grant(ctx, id)
	if err != nil || text == nil {
		return heldGrant{}, false, err
	}
	h, err = c.read(id, text)
	return h, err == nil, err
}

// LookAll is Look for several, in one call of the store at most; a grant that nobody knows is the zero Grant.
func (c *Grants) LookAll(ctx context.Context, ids []storage.GrantID) ([]storage.Grant, error) {
	all := make([]storage.Grant, len(ids))
	var unknown []storage.GrantID
	var places []int
	c.mu.RLock()
	for n, id := range ids {
		h, ok := c.held[id]
		if all[n] = h.grant; !ok {
			unknown, places = append(unknown, id), append(places, n)
		}
	}
	c.mu.RUnlock()
	if len(unknown) == 0 {
		return all, nil
	}
	texts, err := c.store.Grants(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for i, text := range texts {
		if text == nil {
			continue
		}
		h, err := c.read(unknown[i], text)
		if err != nil {
			return nil, err
		}
		all[places[i]] = h.grant
	}
	return all, nil
}

// read reads the text that the store has of a grant, and holds it.
func (c *Grants) read(id storage.GrantID, text []byte) (h heldGrant, err error) {
	if storage.GrantIDOf(text) != id {
		return heldGrant{}, errors.New("reading grant: its text has another hash")
	}
	if err := json.Unmarshal(text, &h.grant); err != nil {
		return heldGrant{}, fmt.Errorf("reading grant: %w", err)
	}
	c.keep(id, h)
	return h, nil
}

// Put makes sure that the store has the grant for that long from now on, 0 for good.
func (c *Grants) Put(ctx context.Context, g storage.Grant, need time.Duration) error {
	text, id, err := g.Text()
	if err != nil {
		return err
	}
	c.mu.RLock()
	held, known := c.held[id]
	c.mu.RUnlock()
	if known {
		if err := held.agrees(text); err != nil {
			return err
		}
	}
	kept := held.kept
	now, keep := c.clock(), need+need/8
	until := now.Add(keep)
	if need == 0 {
		until = storage.Forever
	}
	if !kept.Before(storage.Forever) || need > 0 && kept.After(now.Add(need)) {
		return nil
	}
	if err := c.store.PutGrant(ctx, id, text, keep); err != nil {
		return err
	}
	if !known {
		if err := c.agrees(ctx, id, text); err != nil {
			return err
		}
	}
	c.keep(id, heldGrant{grant: g, kept: until})
	return nil
}

func (c *Grants) keep(id storage.GrantID, h heldGrant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) >= maxGrantsHeld {
		clear(c.held)
	}
	c.held[id] = h
}

// doubt makes the store be asked again about every grant: it may have lost some.
func (c *Grants) doubt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, h := range c.held {
		h.kept, h.again = time.Time{}, time.Time{}
		c.held[id] = h
	}
}
