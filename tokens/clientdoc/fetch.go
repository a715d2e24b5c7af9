package clientdoc

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// begin takes a place for a fetch, which end gives back. Errors: as limits.take.
func (b *Book) begin(w wanted) (ctx context.Context, end func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !b.limits.enter(w) {
		return nil, nil, errBusy
	}
	if err := b.limits.take(w, b.cfg.Clock()); err != nil {
		b.limits.leave(w)
		return nil, nil, err
	}
	b.running.Add(1)
	ctx, cancel := context.WithTimeout(b.ctx, FetchTimeout)
	return ctx, func() { cancel(); b.limits.leave(w); b.running.Done() }, nil
}

// Renew fetches a document that an operator expects where it is not known or has to be looked at
// again, for a client that authenticates: nobody else may come by to have it fetched. Nobody
// waits for it.
func (b *Book) Renew(r *Rules, url string, v Visitor) {
	if e, _ := b.held.Get(url); e.due(b.cfg.Clock()) && r.expects(url) {
		b.flights.DoChan(url, background.Shared(b.recovered, func() (any, error) { return nil, b.fetch(r, url, v) }))
	}
}

// fetch fetches a document, and its keys where they are apart. It returns an error only where
// it has asked nobody; what else came of it is in the entry.
func (b *Book) fetch(r *Rules, url string, v Visitor) error {
	held, _ := b.held.Get(url)
	asked := b.cfg.Clock()
	if !held.due(asked) {
		return nil // another one was faster
	}
	known := held != nil && held.doc != nil
	ctx, end, err := b.begin(wanted{url: url, visitor: v, known: known || r.names(url), expected: r.expects(url)})
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
		return b.after(before, doc, answer{Fetched: got, asked: asked}, err)
	})
	b.tell(outcomeOf(err, before, next), url, err)
	if next.doc != nil && next.doc.JWKSURI != "" && !b.cfg.Clock().Before(next.keysDue) {
		b.fetchKeys(ctx, r, next.doc)
	}
	b.settle(ctx, r, url, before)
	return nil
}

// answer is what a host has shown, and when it was asked for it.
type answer struct {
	Fetched

	asked time.Time
}

// after is the entry after a fetch.
func (b *Book) after(before *entry, doc *Document, got answer, err error) *entry {
	if err == nil {
		return before.shown(doc, got)
	}
	if errors.Is(err, ErrGone) {
		err = &WithdrawnError{Why: err}
	}
	next := entry{why: err}
	switch {
	case isWithdrawn(err):
		next.seen = got.asked
	case before != nil && before.doc != nil: // the last good one serves
		next = *before
	default:
		next.why = errors.Join(ErrUnseen, err)
	}
	next.paused = b.cfg.Clock().Add(pause)
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
func (b *Book) settle(ctx context.Context, r *Rules, url string, before *entry) {
	if before == nil || before.stored.IsZero() {
		return
	}
	e, _ := b.held.Get(url)
	if e != nil && (isWithdrawn(e.why) || e.doc != nil && (e.newer || b.cfg.Clock().Sub(e.stored) >= keepEvery)) {
		_ = b.keep(ctx, r, url, e) // which has told
	}
}

// fetchKeys fetches the keys of a document.
func (b *Book) fetchKeys(ctx context.Context, r *Rules, doc *Document) {
	asked := b.cfg.Clock()
	got, err := r.Fetch(ctx, doc.JWKSURI)
	b.change(doc.URL, func(e *entry) *entry {
		if e == nil || e.doc != doc {
			return e // it has changed meanwhile
		}
		next := *e
		next.keysTried = asked
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
func (k *Keys) Trusted() []*jose.PublicKey {
	now := k.book.cfg.Clock()
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
func (k *Keys) Missing() bool {
	now := k.book.cfg.Clock()
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
		ctx, end, err := b.begin(wanted{url: doc.URL, known: true, expected: k.rules.expects(doc.URL)})
		if err != nil {
			return nil, err
		}
		defer end()
		before, _ := b.held.Get(doc.URL)
		b.fetchKeys(ctx, k.rules, doc)
		b.settle(ctx, k.rules, doc.URL, before)
		return nil, nil //nolint:nilnil // it is in the entry
	}))
}
