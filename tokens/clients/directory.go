package clients

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Directory holds the clients of one configuration.
type Directory struct {
	list  []*Client
	ids   []string // in the same order
	byID  map[string]*Client
	byTag map[storage.ClientTag]*Client
}

// NewDirectory makes a Directory. Two clients with the same tag are an error.
func NewDirectory(list []*Client) (*Directory, error) {
	d := &Directory{list: list, byID: make(map[string]*Client, len(list)), byTag: make(map[storage.ClientTag]*Client, len(list))}
	for _, c := range list {
		c.tag = storage.TagClient(c.ID)
		if other, taken := d.byTag[c.tag]; taken {
			return nil, fmt.Errorf("clients %q and %q have the same 64-bit tag: rename one of them", other.ID, c.ID)
		}
		d.byTag[c.tag], d.byID[c.ID], d.ids = c, c, append(d.ids, c.ID)
	}
	return d, nil
}

// ErrUnknown says that there is no client with an id.
var ErrUnknown = errors.New("finding client: it is unknown")

// Configured returns the client of the configuration with an id.
func (d *Directory) Configured(id string) (*Client, bool) {
	c, ok := d.byID[id]
	return c, ok
}

// Resolve returns the client with an id. Errors: ErrUnknown, or an oauth.Error
// TemporarilyUnavailable where nobody can say.
func (d *Directory) Resolve(_ context.Context, id string) (*Client, error) {
	if c, ok := d.byID[id]; ok {
		return c, nil
	}
	return nil, ErrUnknown
}

// Unknown says for the log which client_id came, and which there are. Of a long one
// only the beginning is shown: somebody may have set the secret in its place.
func (d *Directory) Unknown(id string) oauth.Mismatch {
	if len(id) > shownClientID {
		id = id[:shownClientID/2] + "…"
	}
	return oauth.Mismatch{Sent: id, Registered: d.ids, Option: "client"}
}

// shownClientID is how long an unknown client_id may be to be shown whole, in bytes.
const shownClientID = 16

// Tagged returns the client with a tag.
func (d *Directory) Tagged(tag storage.ClientTag) (*Client, bool) {
	c, ok := d.byTag[tag]
	return c, ok
}

// All returns the clients, in the order of the configuration.
func (d *Directory) All() []*Client { return d.list }
