package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
	"github.com/gatehouse-auth/gatehouse/tokens/clientid"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/recent"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Directory knows the clients: those of one configuration, and those that nobody
// registered, as far as that admits them. Safe for concurrent use.
type Directory struct {
	list  []*Client
	ids   []string // in the same order
	byID  map[string]*Client
	byTag map[storage.ClientTag]*Client

	unregistered Unregistered
	keys         atomic.Pointer[lastingKeys]
}

// Unregistered says which clients are known that no configuration names.
type Unregistered struct {
	// Lasting returns the secret of the store, nil while that is not open. Required.
	Lasting func() []byte
	// Registration is what those may do that register themselves; nil admits none.
	Registration *Policy
	// Documents are those that publish their metadata; nil admits none.
	Documents *DocumentPolicy
	// Book holds their documents. Required with Documents.
	Book *clientdoc.Book
}

// maxRecent is how many clients are remembered at least that no configuration names.
const maxRecent = 1000

// lastingKeys are the keys of one store, and some of the clients that were made with them.
type lastingKeys struct {
	*clientid.Keys

	lasting    []byte
	opened     *recent.Memory[*Client]
	seen       *recent.Memory[*Client] // of either kind, by tag
	documented *recent.Memory[documented]
}

// NewDirectory makes a Directory. Two clients with the same tag are an error.
func NewDirectory(list []*Client, u Unregistered) (*Directory, error) {
	d := &Directory{list: list, byID: make(map[string]*Client, len(list)), byTag: make(map[storage.ClientTag]*Client, len(list)), unregistered: u}
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

// Resolve returns the client with an id. It fetches nothing: the document of a client that
// publishes one is there since somebody has signed in to it (Look, Keep). Errors: ErrUnknown, or
// an oauth.Error TemporarilyUnavailable where nobody can say.
func (d *Directory) Resolve(ctx context.Context, id string) (*Client, error) {
	if c, ok := d.byID[id]; ok {
		return c, nil
	}
	if p := d.unregistered.Registration; p != nil && strings.HasPrefix(id, clientid.Prefix) {
		keys, err := d.lastingKeys()
		if err != nil {
			return nil, oauth.Unavailable(err)
		}
		if c, ok := keys.opened.Get(id); ok {
			return c, nil
		}
		if m, ok := keys.Open(id); ok {
			c := p.registered(keys.Keys, id, m)
			keys.opened.Put(id, c)
			keys.seen.Put(string(c.tag[:]), c)
			return c, nil
		}
	}
	if p := d.publishing(id); p != nil {
		doc, err := d.unregistered.Book.Get(ctx, &p.Rules, id)
		return d.documented(id, doc, err)
	}
	return nil, ErrUnknown
}

// lastingKeys returns the keys of the store.
func (d *Directory) lastingKeys() (*lastingKeys, error) {
	lasting := d.unregistered.Lasting()
	if held := d.keys.Load(); held != nil && bytes.Equal(held.lasting, lasting) {
		return held, nil
	}
	keys, err := clientid.NewKeys(lasting)
	if err != nil {
		return nil, err
	}
	made := &lastingKeys{lasting: lasting, Keys: keys, opened: recent.New[*Client](maxRecent), seen: recent.New[*Client](2 * maxRecent), documented: recent.New[documented](maxRecent)}
	d.keys.Store(made)
	return made, nil
}

// Tag returns the tag of the client with an id, whether there is such a client or not.
func (d *Directory) Tag(id string) storage.ClientTag {
	kind := storage.AllRegistered
	if oauth.IsDocumentURL(id) {
		kind = storage.AllDocuments
	}
	if _, ok := d.byID[id]; ok || kind == storage.AllRegistered && !strings.HasPrefix(id, clientid.Prefix) {
		return storage.TagClient(id)
	}
	keys, err := d.lastingKeys()
	if err != nil {
		return storage.TagClient(id) // the store is not open: no token of it is good
	}
	return kind.Of(keys.Tag(id))
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

// Tagged returns the client of the configuration with a tag.
func (d *Directory) Tagged(tag storage.ClientTag) (*Client, bool) {
	c, ok := d.byTag[tag]
	return c, ok
}

// Seen returns the client with a tag that no configuration names, as far as this node has
// met it lately.
func (d *Directory) Seen(tag storage.ClientTag) (*Client, bool) {
	keys, err := d.lastingKeys()
	if err != nil {
		return nil, false
	}
	return keys.seen.Get(string(tag[:]))
}

// All returns the clients, in the order of the configuration.
func (d *Directory) All() []*Client { return d.list }

// Policy returns what the refresh tokens of a client with a tag live by, as far as the
// tag alone tells.
func (d *Directory) Policy(tag storage.ClientTag) (p RefreshPolicy, known bool) {
	if c, ok := d.byTag[tag]; ok {
		return c.Refresh, true
	}
	if r := d.unregistered.Registration; r != nil && tag.Kind() == storage.AllRegistered {
		return r.Refresh, true
	}
	if p := d.unregistered.Documents; p != nil && tag.Kind() == storage.AllDocuments {
		return p.Refresh, true
	}
	return RefreshPolicy{}, false
}
