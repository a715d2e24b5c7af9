package tokens_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// late is how long after it was asked for a decision of an apartStore may be made.
const late = 2 * time.Second

// watermarks are those of an apartStore, for all nodes.
type watermarks struct {
	mu   sync.Mutex
	all  map[storage.ClientTag]storage.ClientMark
	ends int // how often a client was ended
}

// apartStore keeps the watermarks apart from all else, as a Redis Cluster does:
// what is decided goes by what the request knows of them.
type apartStore struct {
	storage.Store
	marks *watermarks
	deaf  atomic.Bool // what everybody shares is out of this node's reach: watermarks, grants and the feed
}

func (s *apartStore) EndClient(ctx context.Context, client storage.ClientTag, _ time.Duration) (storage.ClientEnd, error) {
	now, err := s.Now(ctx)
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	s.marks.ends++
	s.marks.all[client] = storage.ClientMark{Before: now.Truncate(time.Second)}
	return storage.ClientEnd{Before: s.marks.all[client].Before, Late: late}, err
}

var errDeaf = errors.New("this node does not hear")

func (s *apartStore) ClientWatermarks(context.Context) (map[storage.ClientTag]storage.ClientMark, error) {
	if s.deaf.Load() {
		return nil, errDeaf
	}
	s.marks.mu.Lock()
	defer s.marks.mu.Unlock()
	return maps.Clone(s.marks.all), nil
}

func (s *apartStore) PutGrant(ctx context.Context, id storage.GrantID, text []byte, keep time.Duration) error {
	if s.deaf.Load() {
		return errDeaf
	}
	return s.Store.PutGrant(ctx, id, text, keep)
}

func (s *apartStore) ReadFeed(ctx context.Context, after storage.FeedPosition, wait time.Duration) (storage.FeedPage, error) {
	page, err := s.Store.ReadFeed(ctx, after, wait)
	if s.deaf.Load() {
		return storage.FeedPage{}, errDeaf
	}
	return page, err
}

// borrowed is a store that another node closes.
type borrowed struct{ storage.Store }

func (borrowed) Close() error { return nil }

// apartNodes are two gateways over one store that keeps the watermarks apart.
func apartNodes(t *testing.T) (a, b *gateway, ofA, ofB *apartStore) {
	t.Helper()
	file := boltstore.New(boltstore.Options{Path: filepath.Join(t.TempDir(), "test.db")})
	marks := &watermarks{all: map[storage.ClientTag]storage.ClientMark{}}
	ofA, ofB = &apartStore{Store: file, marks: marks}, &apartStore{Store: borrowed{file}, marks: marks}
	a, b = &gateway{t: t, events: &events{}}, &gateway{t: t, events: &events{}}
	a.start(ofA, time.Now)
	b.start(ofB, time.Now)
	return a, b, ofA, ofB
}

// TestEndIsFinalWhereDecisionsCannotLook: a node that has not heard of the end
// of a client decides as before, for as long as its watermarks are believed, and
// then not at all. When the end is confirmed, all that came of it is over.
func TestEndIsFinalWhereDecisionsCannotLook(t *testing.T) {
	for name, end := range map[string]func(*gateway) error{
		"client":   func(g *gateway) error { return g.EndClient(g.t.Context(), "spa") },
		"everyone": func(g *gateway) error { _, err := g.EndEveryone(g.t.Context()); return err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, _, ofB := apartNodes(t)
				time.Sleep(time.Minute)
				before := b.login()
				code := b.code()
				time.Sleep(2 * time.Second) // nothing is dated by the second of the end
				ofB.deaf.Store(true)
				heard := time.Now()
				var took time.Duration
				ended := make(chan error)
				go func() {
					start := time.Now()
					err := end(a)
					took = time.Since(start)
					ended <- err
				}()
				time.Sleep(storage.DefaultMaxLag / 2)
				slipped := []*tokens.TokenResponse{b.refreshOK(before.RefreshToken), b.mustToken("spa", codeRequest(code))}
				time.Sleep(time.Until(heard.Add(storage.DefaultMaxLag + time.Second)))
				_, err := b.token("spa", refreshRequest(slipped[0].RefreshToken))
				refused(t, err, oauth.TemporarilyUnavailable, "")
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
				if want := storage.DefaultMaxLag + 3*late; took != want {
					t.Errorf("the end was confirmed after %v, want %v", took, want)
				}
				ofB.deaf.Store(false)
				time.Sleep(storage.DefaultMaxLag) // the guarantee, without the feed
				for _, res := range slipped {
					if a.passes(res.AccessToken) || b.passes(res.AccessToken) {
						t.Error("an access token that slipped past the end passes")
					}
					b.refusedRefresh(res.RefreshToken, oauth.ReasonUnknown)
				}
				again := b.login()
				if a.refreshOK(again.RefreshToken); !a.passes(again.AccessToken) {
					t.Error("a login after the end is not good")
				}
			})
		})
	}
}

// TestEndIsNotConfirmedToWhoLeaves before it is final.
func TestEndIsNotConfirmedToWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, ofA, _ := apartNodes(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := a.EndClient(ctx, "spa")
		refused(t, err, oauth.TemporarilyUnavailable, "")
		if ofA.marks.ends != 1 {
			t.Errorf("ended %d times", ofA.marks.ends)
		}
		if a.events.count(oauth.EventRevoked, "client") != 0 {
			t.Error("the end is told of")
		}
	})
}

// TestDecisionsWithoutWatermarks: where guarded routes may go on without the
// store, decisions may not, since an end relies on it. And they are refused
// before anything is spent.
func TestDecisionsWithoutWatermarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b, _, ofB := apartNodes(t)
		settings := state.Settings{Secrets: b.secrets("a"), TokenLifetime: time.Hour, AllowStale: time.Hour}
		if err := b.state.Configure(t.Context(), settings); err != nil {
			t.Fatal(err)
		}
		res, code := b.login(), b.code()
		l, _ := b.signIn(alice)
		time.Sleep(2 * time.Second)
		if !b.passes(res.AccessToken) {
			t.Fatal("the token is not good")
		}
		ofB.deaf.Store(true)
		time.Sleep(2 * storage.DefaultMaxLag)
		if !b.passes(res.AccessToken) {
			t.Error("a guarded route does not go on")
		}
		_, err := b.token("spa", refreshRequest(res.RefreshToken))
		refused(t, err, oauth.TemporarilyUnavailable, "")
		_, err = b.token("spa", codeRequest(code))
		refused(t, err, oauth.TemporarilyUnavailable, "")
		authorization, err := b.ParseAuthorization(t.Context(), request())
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.IssueCode(t.Context(), authorization, l)
		refused(t, err, oauth.TemporarilyUnavailable, "")
		_, _, err = b.SignIn(t.Context(), alice, "")
		refused(t, err, oauth.TemporarilyUnavailable, "")
		ofB.deaf.Store(false)
		b.refreshOK(res.RefreshToken)
		b.mustToken("spa", codeRequest(code))
	})
}

// TestNothingFailsBehindACode: when a code is taken, what its family needs of
// the rest of the store is there already.
func TestNothingFailsBehindACode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b, _, ofB := apartNodes(t)
		code := b.code()
		ofB.deaf.Store(true)
		res := b.mustToken("spa", codeRequest(code))
		b.refreshOK(res.RefreshToken)
	})
}
