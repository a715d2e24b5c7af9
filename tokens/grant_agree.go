package tokens

import (
	"bytes"
	"context"
	"errors"
)

// errGrantTaken says that two grants have one hash. It has 96 bits, so somebody
// who can choose among very many combinations of scopes might look for two: a
// refresh token of the one must never be worth the other.
var errGrantTaken = errors.New("keeping grant: the store has another one under its hash; sign in with other scopes")

// agree makes sure that what is kept under the hash of a grant is this grant: in
// memory, or in the store where this node has not met it yet.
func (c *grantCache) agree(ctx context.Context, id GrantID, text []byte) error {
	c.mu.RLock()
	held, ok := c.held[id]
	c.mu.RUnlock()
	kept, _, err := held.text()
	if !ok {
		kept, err = c.store.Grant(ctx, id)
	}
	if err == nil && !bytes.Equal(kept, text) {
		err = errGrantTaken
	}
	return err
}
