package state

import (
	"bytes"
	"context"
	"errors"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// errGrantTaken says that two grants have one hash. It has 96 bits, so an attacker
// who can choose among very many combinations of scopes might look for two: a
// refresh token of one must never be good for the other.
var errGrantTaken = errors.New("keeping grant: the store has another one under its hash; sign in with other scopes")

// agrees makes sure that what this node holds under a hash is the grant of this text.
func (h heldGrant) agrees(text []byte) error {
	kept, _, err := h.grant.Text()
	if err == nil && !bytes.Equal(kept, text) {
		err = errGrantTaken
	}
	return err
}

// agrees asks the store that, for a grant that this node has not met yet.
func (c *Grants) agrees(ctx context.Context, id storage.GrantID, text []byte) error {
	kept, err := c.store.Grant(ctx, id)
	if err == nil && !bytes.Equal(kept, text) {
		err = errGrantTaken
	}
	return err
}
