package denylist

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var epoch = time.Unix(1_800_000_000, 0)

type authority = storage.Denials

// denials is a store's denylist that a test can change, break and hold up.
type denials struct {
	authority
	mu       sync.Mutex
	users    map[storage.UserTag]storage.UserDenials
	clients  map[storage.ClientTag]storage.ClientMark
	err      error
	asked    atomic.Int64
	onAnswer func()                    // runs between reading and answering
	hold     func() <-chan struct{}    // what an answer waits for, or until its caller leaves
	apart    map[storage.UserTag]error // who cannot be asked about
	most     int                       // users in one question
	lines    []storage.FeedLine
	news     chan struct{}    // closed and replaced when a line is written
	mute     error            // of the feed
	failed   int              // reads of the feed
	once     storage.FeedPage // the next page, if it tells of a loss
}

// wake ends the wait for a line.
func (d *denials) wake() {
	if d.news != nil {
		close(d.news)
		d.news = nil
	}
}

// Announce implements Feed.
func (d *denials) Announce(_ context.Context, l storage.FeedLine) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil || d.mute != nil {
		return cmp.Or(d.err, d.mute)
	}
	d.lines = append(d.lines, l)
	d.wake()
	return nil
}

// ReadFeed implements Feed.
func (d *denials) ReadFeed(ctx context.Context, after storage.FeedPosition, wait time.Duration) (storage.FeedPage, error) {
	d.mu.Lock()
	if d.err == nil && d.mute == nil && int(after.Number) >= len(d.lines) && after.Born != 0 {
		if d.news == nil {
			d.news = make(chan struct{})
		}
		news := d.news
		d.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
		case <-time.After(wait):
		}
		d.mu.Lock()
	}
	defer d.mu.Unlock()
	if err := cmp.Or(d.err, d.mute); err != nil {
		d.failed++
		return storage.FeedPage{}, err
	}
	if page := d.once; page.Loss == storage.FeedGap || page.Loss == storage.FeedReplaced {
		d.once = storage.FeedPage{}
		return page, nil
	}
	page := storage.FeedPage{Next: storage.FeedPosition{Born: 1, Number: uint64(len(d.lines))}}
	if after.Born != 0 {
		page.Lines = slices.Clone(d.lines[after.Number:])
	}
	return page, nil
}

func (d *denials) Denials(ctx context.Context, users []storage.UserTag) ([]storage.UserDenials, error) {
	d.mu.Lock()
	out := make([]storage.UserDenials, len(users))
	for i, u := range users {
		out[i] = d.users[u]
		out[i].Err = d.apart[u]
	}
	d.most = max(d.most, len(users))
	err, onAnswer, hold := d.err, d.onAnswer, d.hold
	d.asked.Add(1) // what it has read, it answers
	d.mu.Unlock()
	if hold != nil {
		select {
		case <-hold():
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if onAnswer != nil {
		onAnswer()
	}
	return out, err
}

func (d *denials) ClientWatermarks(context.Context) (map[storage.ClientTag]storage.ClientMark, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.clients), d.err
}

func (d *denials) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

type testDenylist struct {
	*Denylist
	store *denials
	now   atomic.Int64 // nanoseconds since epoch
}

func (d *testDenylist) pass(by time.Duration) { d.now.Add(int64(by)) }

func newTestDenylist(t *testing.T, limits denylistLimits) *testDenylist {
	t.Helper()
	d := &testDenylist{store: &denials{users: map[storage.UserTag]storage.UserDenials{}, clients: map[storage.ClientTag]storage.ClientMark{}}}
	var err error
	d.Denylist, err = New(Config{
		Store: d.store, Entries: 1000, Observer: oauth.NopObserver{}, KeysChanged: func() {},
		Clock: func() time.Time { return epoch.Add(time.Duration(d.now.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	d.limits.Store(&limits)
	t.Cleanup(d.cache.Close)
	return d
}

func aliceToken() *Token {
	return &Token{
		User: storage.TagSubject("local|alice"), Client: storage.TagClient("spa"), IssuedAt: epoch,
		TokenID: storage.TokenID{1}, HasTokenID: true, Family: storage.FamilyID{2}, HasFamily: true,
	}
}

func code(err error) oauth.ErrorCode {
	if err == nil {
		return ""
	}
	return oauth.AsError(err).Code
}

func TestDenylistEntries(t *testing.T) {
	tests := []struct {
		name    string
		denials storage.UserDenials
		client  time.Time
		want    oauth.ErrorCode
	}{
		{name: "nothing"},
		{name: "another token", denials: storage.UserDenials{Entries: []storage.Denial{{Kind: storage.DenyToken, ID: [16]byte{9}}}}},
		{name: "another family", denials: storage.UserDenials{Entries: []storage.Denial{{Kind: storage.DenyFamily, ID: [16]byte{1}}}}},
		{name: "the token", denials: storage.UserDenials{Entries: []storage.Denial{{Kind: storage.DenyToken, ID: [16]byte{1}}}}, want: oauth.InvalidToken},
		{name: "the family", denials: storage.UserDenials{Entries: []storage.Denial{{Kind: storage.DenyFamily, ID: [16]byte{2}}}}, want: oauth.InvalidToken},
		{name: "a kind from a newer version", denials: storage.UserDenials{Entries: []storage.Denial{{Kind: 99}}}, want: oauth.InvalidToken},
		{name: "user signed out before", denials: storage.UserDenials{Before: epoch.Add(-time.Second)}},
		{name: "user signed out in that second", denials: storage.UserDenials{Before: epoch}, want: oauth.InvalidToken},
		{name: "client ended before", client: epoch.Add(-time.Second)},
		{name: "client ended in that second", client: epoch, want: oauth.InvalidToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDenylist(t, denylistLimits{maxLag: 10 * time.Second})
			c := aliceToken()
			d.store.set(func() {
				d.store.users[c.User] = tt.denials
				d.store.clients[c.Client] = storage.ClientMark{Before: tt.client}
			})
			if got := code(d.Check(t.Context(), c)); got != tt.want {
				t.Errorf("Check: %q, want %q", got, tt.want)
			}
			if got := code(d.CheckStore(t.Context(), c)); got != tt.want {
				t.Errorf("CheckStore: %q, want %q", got, tt.want)
			}
		})
	}
}

// TestDenylistHolds shows that a user seen before costs no question, and that
// a revocation on this node is seen at once.
func TestDenylistHolds(t *testing.T) {
	d := newTestDenylist(t, denylistLimits{maxLag: 10 * time.Second})
	c := aliceToken()
	for range 100 {
		if err := d.Check(t.Context(), aliceToken()); err != nil { // another of hers
			t.Fatal(err)
		}
		d.cache.Wait()
	}
	if n := d.store.asked.Load(); n != 1 {
		t.Errorf("asked the store %d times for 100 checks", n)
	}
	d.store.set(func() { d.store.users[c.User] = storage.UserDenials{Before: epoch} })
	d.Changed(c.User)
	if code(d.Check(t.Context(), c)) != oauth.InvalidToken {
		t.Error("a denied token passed after Changed")
	}
}

// TestDenylistRemembered shows that a token that is in use needs no cache for the
// first half of MaxLag, and that nothing it remembers outlives what the cache may hold.
func TestDenylistRemembered(t *testing.T) {
	limits := denylistLimits{maxLag: 10 * time.Second}
	tests := []struct {
		name   string
		happen func(d *testDenylist, c *Token)
		denied bool // by the store
		asked  int64
	}{
		{"nothing", func(*testDenylist, *Token) {}, false, 1},
		{"nothing is heard within half of MaxLag", func(*testDenylist, *Token) {}, true, 1},
		{"half of MaxLag", func(d *testDenylist, _ *Token) { d.pass(limits.maxLag/2 + 1) }, true, 2},
		{"a revocation", func(d *testDenylist, c *Token) { d.Changed(c.User) }, true, 2},
		{"a flush", func(d *testDenylist, _ *Token) { d.flushed.Add(1) }, true, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDenylist(t, limits)
			c := aliceToken()
			if err := d.Check(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			d.cache.Wait()
			d.cache.Clear()
			if tt.denied {
				d.store.set(func() { d.store.users[c.User] = storage.UserDenials{Before: epoch} })
			}
			tt.happen(d, c)
			want := oauth.ErrorCode("")
			if tt.denied && tt.asked > 1 {
				want = oauth.InvalidToken
			}
			if got := code(d.Check(t.Context(), c)); got != want {
				t.Errorf("Check: %q, want %q", got, want)
			}
			if n := d.store.asked.Load(); n != tt.asked {
				t.Errorf("asked the store %d times, want %d", n, tt.asked)
			}
		})
	}
}

// TestDenylistLateAnswer lets a revocation happen between the store's reading
// and its answer: the answer must not be kept.
func TestDenylistLateAnswer(t *testing.T) {
	d := newTestDenylist(t, denylistLimits{maxLag: 10 * time.Second})
	c := aliceToken()
	d.store.set(func() {
		d.store.onAnswer = func() {
			d.store.set(func() {
				d.store.onAnswer = nil
				d.store.users[c.User] = storage.UserDenials{Before: epoch}
			})
			d.Changed(c.User)
		}
	})
	if err := d.Check(t.Context(), c); err != nil {
		t.Fatal(err) // it was asked before the revocation
	}
	d.cache.Wait()
	if code(d.Check(t.Context(), c)) != oauth.InvalidToken {
		t.Error("an answer from before the revocation was kept")
	}
}

func TestDenylistOutage(t *testing.T) {
	broken := errors.New("store is down")
	tests := []struct {
		name   string
		limits denylistLimits
		seen   bool
		after  time.Duration
		want   oauth.ErrorCode
	}{
		{"young verdict", denylistLimits{maxLag: 10 * time.Second}, true, 9 * time.Second, ""},
		{"old verdict, deny", denylistLimits{maxLag: 10 * time.Second}, true, 11 * time.Second, oauth.TemporarilyUnavailable},
		{"old verdict, allow stale", denylistLimits{maxLag: 10 * time.Second, allowStale: 30 * time.Second}, true, 29 * time.Second, ""},
		{"too old, allow stale", denylistLimits{maxLag: 10 * time.Second, allowStale: 30 * time.Second}, true, 31 * time.Second, oauth.TemporarilyUnavailable},
		{"never seen, allow stale", denylistLimits{maxLag: 10 * time.Second, allowStale: 30 * time.Second}, false, 0, oauth.TemporarilyUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDenylist(t, tt.limits)
			c := aliceToken()
			if tt.seen {
				if err := d.Check(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				d.cache.Wait()
			}
			d.store.set(func() { d.store.err = broken })
			d.pass(tt.after)
			if got := code(d.Check(t.Context(), c)); got != tt.want {
				t.Errorf("during the outage: %q, want %q", got, tt.want)
			}
			if code(d.CheckStore(t.Context(), c)) != oauth.TemporarilyUnavailable {
				t.Error("introspection did not fail during the outage")
			}
			d.store.set(func() { d.store.err = nil })
			if err := d.Check(t.Context(), c); err != nil {
				t.Errorf("after the outage: %v", err)
			}
		})
	}
}

// TestDenylistRenewal lets the background renew a verdict in use before it is
// too old, so that no request waits, and pick up what changed elsewhere.
func TestDenylistRenewal(t *testing.T) {
	d := newTestDenylist(t, denylistLimits{maxLag: 10 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	defer func() { cancel(); <-done }()
	c := aliceToken()
	if err := d.Check(ctx, c); err != nil {
		t.Fatal(err)
	}
	d.cache.Wait()
	d.store.set(func() { d.store.users[c.User] = storage.UserDenials{Before: epoch} }) // on another node
	d.pass(6 * time.Second)
	renewed := make(chan struct{})
	d.store.set(func() { d.store.onAnswer = sync.OnceFunc(func() { close(renewed) }) })
	if err := d.Check(ctx, c); err != nil {
		t.Fatal(err) // still young enough
	}
	select {
	case <-renewed:
	case <-time.After(30 * time.Second):
		t.Fatal("the verdict was not renewed in the background")
	}
	for code(d.Check(ctx, c)) != oauth.InvalidToken {
		d.cache.Wait()
		if ctx.Err() != nil {
			t.Fatal("the renewed verdict never arrived")
		}
	}
}

// TestDenylistRace revokes while others check: once Changed has
// returned, no check passes. GATEHOUSE_TEST_LONG=1 makes it a million rounds.
func TestDenylistRace(t *testing.T) {
	rounds := 2000
	if os.Getenv("GATEHOUSE_TEST_LONG") != "" {
		rounds = 1_000_000
	}
	d := newTestDenylist(t, denylistLimits{maxLag: time.Hour})
	for n := range rounds {
		c := aliceToken()
		c.User = storage.TagSubject("local|" + string(rune('a'+n%26)) + string(rune('a'+n/26%26)))
		d.store.set(func() { delete(d.store.users, c.User) })
		d.Changed(c.User)
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() { _ = d.Check(t.Context(), c) })
		}
		d.store.set(func() { d.store.users[c.User] = storage.UserDenials{Before: epoch} })
		d.Changed(c.User)
		if code(d.Check(t.Context(), c)) != oauth.InvalidToken {
			t.Fatalf("round %d: a denied token passed", n)
		}
		readers.Wait()
		if code(d.Check(t.Context(), c)) != oauth.InvalidToken {
			t.Fatalf("round %d: a late answer was kept", n)
		}
	}
}

// brokenStore is a store that panics.
type brokenStore struct{ Store }

func (brokenStore) ClientWatermarks(context.Context) (map[storage.ClientTag]storage.ClientMark, error) {
	panic("broken store")
}

// recoveries counts the panics that it is told of.
type recoveries struct {
	oauth.NopObserver
	told atomic.Int64
}

func (r *recoveries) Happened(_ context.Context, e oauth.Event) {
	if e.Kind == oauth.EventBackgroundRecovered {
		r.told.Add(1)
	}
}

// Where a load of the watermarks is not waited for, nobody hears of its panic but
// the operator.
func TestPanicOfALoad(t *testing.T) {
	heard := new(recoveries)
	d, err := New(Config{Store: brokenStore{}, Entries: 1, Observer: heard, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	<-d.load()
	if heard.told.Load() != 1 {
		t.Errorf("told %d times", heard.told.Load())
	}
}
