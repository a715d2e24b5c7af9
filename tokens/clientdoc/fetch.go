package clientdoc

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// begin takes a place for a fetch, which end gives back. One for a visitor counts against what
// they may cause.
func (b *Book) begin(url string, v *Visitor) (ctx context.Context, end func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !b.limits.enter() {
		return nil, nil, errBusy
	}
	if !b.limits.take(url, v, b.cfg.Clock()) {
		b.limits.leave()
		return nil, nil, errBusy
	}
	b.running.Add(1)
	ctx, cancel := context.WithTimeout(b.ctx, FetchTimeout)
	return ctx, func() { cancel(); b.limits.leave(); b.running.Done() }, nil
}

// Renew fetches a document that an operator expects where it is not known or has to be looked at
// again, for a client that authenticates: nobody else may come by to have it fetched. Nobody
// waits for it.
func (b *Book) Renew(r *Rules, url string, v Visitor) {
	if e, _ := b.held.Get(url); e.due(b.cfg.Clock()) && r.expects(url) {
		b.flights.DoChan(url, background.Shared(b.recovered, func() (any, error) { return nil, b.fetch(r, url, &v) }))
	}
}

// fetch fetches a document, and its keys where they are apart. It returns an error only where
// it has asked nobody; what else came of it is in the entry.
func (b *Book) fetch(r *Rules, url string, v *Visitor) error {
	if e, _ := b.held.Get(url); !e.due(b.cfg.Clock()) {
		return nil // another one was faster
	}
	ctx, end, err := b.begin(url, v)
	if err != nil {
		return err
	}
	defer end()
	got, err := r.Fetch(ctx, url)
	var doc *Document
	if err == nil {
		if doc, err = Parse(url, got.Text); err != nil {
			err = &WithdrawnError{Why: err}
		}
	}
	var before *entry
	next := b.change(url, func(e *entry) *entry {
		if e != nil && !e.pinned {
			before = e
		}
		return b.after(before, doc, got, err)
	})
	b.tell(outcomeOf(err, before, next), url, err)
	if next.doc != nil && next.doc.JWKSURI != "" && !b.cfg.Clock().Before(next.keysDue) {
		b.fetchKeys(ctx, r, next.doc)
	}
	b.settle(ctx, url, before)
	return nil
}

// after is the entry after a fetch.
func (b *Book) after(before *entry, doc *Document, got Fetched, err error) *entry {
	now := b.cfg.Clock()
	if err == nil {
		return before.shown(doc, ageOf(got), now)
	}
	if errors.Is(err, ErrGone) {
		err = &WithdrawnError{Why: err}
	}
	next := entry{why: err}
	switch {
	case isWithdrawn(err):
	case before != nil && before.doc != nil: // the last good one serves
		next = *before
	default:
		next.why = errors.Join(ErrUnseen, err)
	}
	next.paused = now.Add(pause)
	return &next
}

// outcomeOf is what has become of a fetch.
func outcomeOf(err error, before, next *entry) oauth.Outcome {
	switch {
	case errors.Is(err, ErrGone):
		return oauth.DocumentGone
	case isWithdrawn(err):
		return oauth.DocumentRefused
	case err != nil:
		return oauth.DocumentUnreachable
	case before != nil && before.doc == next.doc:
		return oauth.DocumentUnchanged
	}
	return oauth.DocumentChanged
}

func isWithdrawn(err error) bool {
	_, ok := errors.AsType[*WithdrawnError](err)
	return ok
}

// settle writes to the store what has become of a document that is there.
func (b *Book) settle(ctx context.Context, url string, before *entry) {
	if before == nil || before.stored.IsZero() {
		return
	}
	e, _ := b.held.Get(url)
	switch {
	case e == nil:
	case e.doc != nil && (e.newer || b.cfg.Clock().Sub(e.stored) >= keepEvery):
		_ = b.keep(ctx, url, e) // which has told
	case e.doc == nil:
		if err := b.cfg.Store.PutDocument(ctx, storage.DocumentRequest{ID: storage.DocumentIDOf(url)}); err != nil {
			b.tell(oauth.DocumentNotKept, url, err)
		}
	}
}

// fetchKeys fetches the keys of a document.
func (b *Book) fetchKeys(ctx context.Context, r *Rules, doc *Document) {
	got, err := r.Fetch(ctx, doc.JWKSURI)
	b.change(doc.URL, func(e *entry) *entry {
		if e == nil || e.doc != doc {
			return e // it has changed meanwhile
		}
		next := *e
		next.keysTried = b.cfg.Clock()
		if err == nil {
			err = next.readKeys(got)
		}
		return &next
	})
	outcome := oauth.KeysChanged
	if err != nil {
		outcome = oauth.KeysUnreachable
	}
	b.cfg.Observer.Happened(b.ctx, oauth.Event{Kind: oauth.EventIssuerKeys, Outcome: outcome, Issuer: doc.URL, Cause: err})
}

// Keys are those of a client that publishes them. Safe for concurrent use.
type Keys struct {
	book  *Book
	rules *Rules
	url   string
}

// Keys returns those of the client whose document is at a URL.
func (b *Book) Keys(r *Rules, url string) *Keys { return &Keys{book: b, rules: r, url: url} }

// Trusted returns the keys, or nil where there are none or they are too old. Where they are
// due they are fetched, and nobody waits for it.
func (k *Keys) Trusted(now time.Time) []*jose.PublicKey {
	e, _ := k.book.held.Get(k.url)
	if e == nil || e.doc == nil {
		return nil
	}
	if !now.Before(e.keysDue) && e.mayTry(now) {
		k.renew(e.doc)
	}
	if now.Sub(e.keysSeen) > keepKeys && e.doc.JWKSURI != "" {
		return nil
	}
	return e.keys
}

// Missing says that an assertion names a key that is not among them. It reports whether nobody
// can say yet that there is no such key, so that the client is to come again: they are fetched
// now, once in half a minute, or could not be.
func (k *Keys) Missing(now time.Time) bool {
	e, _ := k.book.held.Get(k.url)
	switch {
	case e == nil || e.doc == nil || e.pinned && e.doc.JWKSURI == "":
		return false
	case e.doc.JWKSURI == "": // they come with the document
		return !now.Before(e.fresh)
	case e.mayTry(now):
		k.renew(e.doc)
		return true
	}
	return !e.keysSeen.Equal(e.keysTried)
}

// mayTry reports whether the keys may be fetched now.
func (e *entry) mayTry(now time.Time) bool {
	return e.doc.JWKSURI != "" && now.Sub(e.keysTried) >= pause
}

// renew fetches the keys in the background.
func (k *Keys) renew(doc *Document) {
	b := k.book
	b.flights.DoChan("keys "+doc.URL, background.Shared(b.recovered, func() (any, error) {
		ctx, end, err := b.begin(doc.URL, nil)
		if err != nil {
			return nil, err
		}
		defer end()
		before, _ := b.held.Get(doc.URL)
		b.fetchKeys(ctx, k.rules, doc)
		b.settle(ctx, doc.URL, before)
		return nil, nil //nolint:nilnil // it is in the entry
	}))
}
