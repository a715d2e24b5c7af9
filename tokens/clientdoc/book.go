package clientdoc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/recent"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// FetchTimeout is how long one fetch may take, of a document with its keys.
const FetchTimeout = 5 * time.Second

// maxHeld is how many documents are held in memory at least, and twice as many at most. One
// of a host that shows as much as it may has about 40 KiB, a usual one 1 KiB.
const maxHeld = 500

// BookConfig says what a Book is made of.
type BookConfig struct {
	Store    storage.Documents
	Observer oauth.Observer
	Clock    func() time.Time // the store's: of what several nodes have fetched the newest counts
}

// Book holds the documents of clients: in memory those that were used last, in the store those
// of clients that somebody signs in to. Configurations of one node share it, so that
// a reload fetches nothing again and gives nobody a new allowance. Safe for concurrent use.
type Book struct {
	cfg     BookConfig
	held    *recent.Memory[*entry]
	flights singleflight.Group
	limits  *limits

	mu      sync.Mutex // held by who changes an entry
	closed  bool
	ctx     context.Context //nolint:containedctx // of the fetches, which no request may cut off
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// NewBook makes a Book that holds nothing. It does no I/O.
func NewBook(cfg BookConfig) *Book {
	ctx, cancel := context.WithCancel(context.Background())
	return &Book{cfg: cfg, held: recent.New[*entry](maxHeld), limits: newLimits(), ctx: ctx, cancel: cancel}
}

// Close ends the fetches under way and waits for them.
func (b *Book) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.running.Wait()
}

var (
	// ErrUnseen says that nobody can know now what a client is: its document is neither held
	// nor kept, or its host does not show it.
	ErrUnseen = errors.New("finding a client's document: its host has not shown it")
	// ErrSignIn says that the document is fetched for people who are signed in alone.
	ErrSignIn = errors.New("finding a client's document: it is fetched once somebody is signed in")
)

// WithdrawnError says that a host shows no document, or one that is not good.
type WithdrawnError struct{ Why error }

// Error says why.
func (e *WithdrawnError) Error() string { return "finding a client's document: " + e.Why.Error() }

// Unwrap returns why.
func (e *WithdrawnError) Unwrap() error { return e.Why }

// Get returns the document at a URL that the rules admit, as far as it is held or kept. It
// fetches nothing. Errors: ErrUnseen, a *WithdrawnError, or of the store.
func (b *Book) Get(ctx context.Context, r *Rules, url string) (*Document, error) {
	e, err := b.entry(ctx, r, url)
	if err != nil {
		return nil, err
	}
	return e.last(b.cfg.Clock())
}

// Look returns the document at a URL that the rules admit, and fetches it where it is not held
// or has to be fetched again: the last good one counts where that fails. Errors: as of Get,
// ErrSignIn, and an oauth.Error TemporarilyUnavailable where too much is fetched.
func (b *Book) Look(ctx context.Context, r *Rules, url string, v Visitor) (*Document, error) {
	e, err := b.entry(ctx, r, url)
	if err != nil {
		return nil, err
	}
	now := b.cfg.Clock()
	if !e.due(now) {
		if e.pinned && e.doc.JWKSURI != "" {
			b.Keys(r, url).Trusted() // so that they are there when the client needs them
		}
		return e.last(now)
	}
	if v.Person == "" && !r.expects(url) {
		return nil, ErrSignIn
	}
	unfetched, err := b.fetched(ctx, r, url, v)
	if err != nil {
		return nil, err
	}
	held, _ := b.held.Get(url)
	doc, missing := held.last(now)
	if missing != nil && unfetched != nil {
		return nil, unfetched
	}
	return doc, missing
}

// fetched waits until a document has been fetched, and says why the host was not asked. Callers
// share one fetch, and whoever is signed in does not share what a stranger may not.
func (b *Book) fetched(ctx context.Context, r *Rules, url string, v Visitor) (unfetched, err error) {
	for {
		flight := b.flights.DoChan(url, background.Shared(b.recovered, func() (any, error) { return nil, b.fetch(r, url, v) }))
		select {
		case res := <-flight:
			if v.Person == "" || !errors.Is(res.Err, ErrSignIn) {
				return res.Err, nil
			}
		case <-ctx.Done():
			return nil, oauth.Unavailable(ctx.Err())
		}
	}
}

// due reports whether a document has to be fetched.
func (e *entry) due(now time.Time) bool {
	switch {
	case e == nil:
		return true
	case now.Before(e.paused):
		return false
	}
	return e.doc == nil || !e.pinned && !now.Before(e.fresh)
}

// entry returns what is held of a URL, or kept of it; nil for nothing.
func (b *Book) entry(ctx context.Context, r *Rules, url string) (*entry, error) {
	e, ok := b.held.Get(url)
	if pin := r.Pinned[url]; pin != nil {
		if !ok || e.doc != pin {
			e = b.change(url, func(before *entry) *entry {
				next := &entry{doc: pin, pinned: true, seen: b.cfg.Clock()}
				next.takeKeys(before, next.seen)
				return next
			})
		}
		return e, nil
	}
	now := b.cfg.Clock()
	if ok && !e.pinned && !e.behind(now) {
		return e, nil
	}
	text, err := b.cfg.Store.Document(ctx, storage.DocumentIDOf(url))
	if err != nil {
		return nil, oauth.Unavailable(fmt.Errorf("finding a client's document: %w", err))
	}
	kept := decode(url, text, now)
	if kept == nil && !ok {
		return nil, nil //nolint:nilnil // nothing is known
	}
	return b.change(url, func(held *entry) *entry { return held.or(kept, now) }), nil
}

// change puts what becomes of an entry in its place.
func (b *Book) change(url string, next func(*entry) *entry) *entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, _ := b.held.Get(url)
	e := next(before)
	b.held.Put(url, e)
	return e
}

// Keep writes a document to the store, unless it was written lately. It is done before a page
// is shown for its client, and before that gets a code: both may be answered by another node.
// Errors: TemporarilyUnavailable, and a *WithdrawnError where another node has heard of its end.
func (b *Book) Keep(ctx context.Context, r *Rules, url string) error {
	e, ok := b.held.Get(url)
	switch {
	case !ok: // forgotten since it was looked at, and so kept then
		text, err := b.cfg.Store.Document(ctx, storage.DocumentIDOf(url))
		if err == nil && text == nil {
			err = ErrUnseen
		}
		if err != nil {
			return oauth.Unavailable(fmt.Errorf("keeping a client's document: %w", err))
		}
		return nil
	case e.doc == nil || e.pinned || !e.newer && b.cfg.Clock().Sub(e.stored) < keepEvery:
		return nil
	}
	return b.keep(ctx, r, url, e)
}

// keep writes an entry to the store: its document, or that there is none any more. Where another
// node has written what is newer, that counts here, too.
func (b *Book) keep(ctx context.Context, r *Rules, url string, e *entry) error {
	req := storage.DocumentRequest{ID: storage.DocumentIDOf(url), AsOf: e.seen, Lifetime: keepFor - b.cfg.Clock().Sub(e.seen), Expected: r.expects(url)}
	var err error
	if e.doc != nil {
		req.Text, err = e.encode()
	}
	kept := false
	if err == nil {
		kept, err = b.cfg.Store.PutDocument(ctx, req)
	}
	next := *e
	next.stored, next.newer = b.cfg.Clock(), false
	if err == nil && !kept {
		var text []byte
		text, err = b.cfg.Store.Document(ctx, req.ID)
		if newer := decode(url, text, next.stored); newer != nil {
			next = *newer
		} else {
			next = entry{why: &WithdrawnError{Why: ErrGone}, paused: next.stored.Add(pause)}
		}
	}
	if err != nil {
		b.tell(oauth.DocumentNotKept, url, err)
		return oauth.Unavailable(fmt.Errorf("keeping a client's document: %w", err))
	}
	now := b.change(url, func(now *entry) *entry {
		if now != e { // it has changed meanwhile
			return now
		}
		return &next
	})
	if isWithdrawn(now.why) {
		return now.why
	}
	return nil
}

func (b *Book) tell(outcome oauth.Outcome, url string, cause error) {
	b.cfg.Observer.Happened(b.ctx, oauth.Event{Kind: oauth.EventClientDocument, Outcome: outcome, Client: url, Cause: cause})
}

// recovered reports a panic that was caught while something was fetched.
func (b *Book) recovered(err error) {
	b.cfg.Observer.Happened(context.Background(), oauth.Event{Kind: oauth.EventBackgroundRecovered, Outcome: oauth.OutcomeClientDocuments, Cause: err})
}
