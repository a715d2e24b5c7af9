package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// DocumentPolicy is what clients may do that publish their metadata, and which there are.
type DocumentPolicy struct {
	Policy

	Rules clientdoc.Rules
}

// admits reports whether a client_id is one of these.
func (p *DocumentPolicy) admits(id string) bool { return p != nil && p.Rules.Admits(id) }

// documented is a client, and the document that it was made of.
type documented struct {
	*Client

	doc *clientdoc.Document
}

// Look is Resolve for an authorization request: it fetches the document of a client that
// publishes one, where it is not known or has to be looked at again. Errors: as Resolve, and
// clientdoc.ErrSignIn.
func (d *Directory) Look(ctx context.Context, id string, v clientdoc.Visitor) (*Client, error) {
	if p := d.publishing(id); p != nil {
		doc, err := d.unregistered.Book.Look(ctx, &p.Rules, id, v)
		return d.documented(id, doc, err)
	}
	return d.Resolve(ctx, id)
}

// Refreshing is Resolve for a request with a refresh token, whose grant says how its client
// authenticates: nothing of a document is needed, and so it costs no look at one.
func (d *Directory) Refreshing(ctx context.Context, id string) (*Client, error) {
	p := d.publishing(id)
	if p == nil {
		return d.Resolve(ctx, id)
	}
	keys, err := d.lastingKeys()
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	return p.client(id, Document, storage.AllDocuments.Of(keys.Tag(id)), ""), nil
}

// Signing is Resolve for a client that authenticates by its key. Where it publishes that, what is
// old of it is fetched again, and nobody waits for it.
func (d *Directory) Signing(ctx context.Context, id string, v clientdoc.Visitor) (*Client, error) {
	c, err := d.Resolve(ctx, id)
	if p := d.publishing(id); p != nil {
		d.unregistered.Book.Renew(&p.Rules, id, v)
	}
	return c, err
}

// Publishes reports whether a client_id is of a client that is known by its document.
func (d *Directory) Publishes(id string) bool { return d.publishing(id) != nil }

// Keep sees to it that the document of a client, where it has one, is there on each node from
// now on. Errors: as Resolve.
func (d *Directory) Keep(ctx context.Context, c *Client) error {
	if c.Origin != Document {
		return nil
	}
	return known(d.unregistered.Book.Keep(ctx, &d.unregistered.Documents.Rules, c.ID))
}

// publishing returns the policy for a client that is known by its document, nil for another.
func (d *Directory) publishing(id string) *DocumentPolicy {
	if _, ok := d.byID[id]; ok || !d.unregistered.Documents.admits(id) {
		return nil
	}
	return d.unregistered.Documents
}

// errUnseen asks a client to come back whose document nobody can have now.
var errUnseen = &oauth.Error{
	Code: oauth.TemporarilyUnavailable, Reason: oauth.ReasonClientDocument, RetryAfter: 30 * time.Second,
	Description: "The application's own metadata cannot be fetched at this moment. Try again shortly.",
}

// known says of the error of a Book what it means for the client.
func known(err error) error {
	withdrawn, is := errors.AsType[*clientdoc.WithdrawnError](err)
	switch {
	case is:
		return fmt.Errorf("%w: %w", ErrUnknown, withdrawn.Why)
	case errors.Is(err, clientdoc.ErrUnseen):
		answer := *errUnseen
		answer.Cause = err
		return &answer
	}
	return err
}

// documented returns the client that a document says it is.
func (d *Directory) documented(id string, doc *clientdoc.Document, err error) (*Client, error) {
	if err != nil {
		return nil, known(err)
	}
	keys, err := d.lastingKeys()
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	if made, ok := keys.documented.Get(id); ok && made.doc == doc {
		return made.Client, nil
	}
	c := d.unregistered.Documents.made(doc, storage.AllDocuments.Of(keys.Tag(id)))
	if doc.Keyed {
		c.Keys = Keys{Published: d.unregistered.Book.Keys(&d.unregistered.Documents.Rules, id), Algorithm: doc.Algorithm}
	}
	keys.documented.Put(id, documented{Client: c, doc: doc})
	keys.seen.Put(string(c.tag[:]), c)
	return c, nil
}

// made returns the client of a document. Of its redirect URIs those count that it may have
// today: foreign ones are left out.
func (p *DocumentPolicy) made(doc *clientdoc.Document, tag storage.ClientTag) *Client {
	c := p.client(doc.URL, Document, tag, PlainName(doc.Name))
	hosts := append([]string{strings.TrimPrefix(oauth.DocumentOrigin(doc.URL), "https://")}, p.RedirectHosts...)
	for _, uri := range doc.RedirectURIs {
		if kept, ok := oauth.UnregisteredRedirect(uri, hosts); ok {
			c.RedirectURIs = append(c.RedirectURIs, kept)
		}
	}
	c.Refresh.Never = doc.NoRefresh
	if !doc.Public {
		c.Type = Web
	}
	return c
}
