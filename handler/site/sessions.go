package site

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

const (
	// maxInterval is how long a node goes without asking the store about a session in use.
	maxInterval = 10 * time.Minute
	// renewalGrace is how long others go on with what is known while one asks the store.
	renewalGrace = 30 * time.Second
	// retryPause is how long after a failure the store is not asked again about a session.
	retryPause = time.Second
	// overFor is how long it is remembered that a session is over: it never comes back.
	overFor = 10 * time.Second
	// DefaultMaxSessions is how many sessions a node holds of one site unless configured,
	// of about 3 KiB each.
	DefaultMaxSessions = 20_000
)

// interval is how long what the store said about a session is believed: so long that a
// person at work never reaches the idle end.
func interval(idle time.Duration) time.Duration {
	if idle <= 0 {
		return maxInterval
	}
	return min(maxInterval, idle/4)
}

// Belief is how long a node believes at most what the store said about a session whose idle
// lifetime is idle, where stale answers serve for allowStale while the store is away. It
// counts as the lifetime of an access token: an entry of the denylist outlives it.
func Belief(idle, allowStale time.Duration) time.Duration {
	return interval(idle) + renewalGrace + allowStale
}

// sessions are what the node believes about sessions of a site, by what proves them. It only
// saves time: it may forget anything, and never says that a session lives which the store did not.
type sessions struct {
	*base

	mu   sync.RWMutex
	held map[proof]*held
}

// proof is a cookie or an app key. Neither counts as the other: what is held has been opened as
// the one that it is.
type proof struct {
	text string
	key  bool
}

// held is one session.
type held struct {
	proof

	mu      sync.Mutex
	session *sites.Session
	used    time.Time     // when the store last heard that it is used
	active  bool          // it was used since
	asking  chan struct{} // closed when the question to the store that is under way is answered
	err     error         // of the last question
	failed  time.Time     // when that was

	minting chan struct{} // holds who mints a token for an upstream: one at a time
	tokens  map[*UpstreamToken]token
}

// known returns what is held of a cookie or an app key, nil for nothing.
func (c *sessions) known(p proof) *held {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.held[p]
}

// find returns what is held of one, and makes room for it.
func (c *sessions) find(p proof) *held {
	if h := c.known(p); h != nil {
		return h
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.held[p]; h != nil {
		return h
	}
	for other := range c.held { // in no order
		if len(c.held) < c.cfg.MaxSessions {
			break
		}
		delete(c.held, other)
	}
	h := &held{proof: p, minting: make(chan struct{}, 1)}
	c.held[p] = h
	return h
}

// drop forgets a session.
func (c *sessions) drop(cookie string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, proof{text: cookie})
}

// get returns the session of a cookie that opens; used says whether it counts as used. The store is asked once in an interval, by
// one request; the others go on with what is known, or wait where nothing is. Errors are
// *oauth.Error.
func (c *sessions) get(ctx context.Context, h *held, used bool) (*sites.Session, error) {
	every := interval(c.cfg.Life.Idle)
	for {
		now := c.cfg.Issuer.Now()
		h.mu.Lock()
		s := h.session
		h.active = h.active || used
		age := h.age(now)
		counted := !used || now.Sub(h.used) < every // or the store has to hear of it
		if s != nil && age >= 0 && age < every && counted {
			h.mu.Unlock()
			return s, nil
		}
		if err := h.lately(now); err != nil {
			h.mu.Unlock()
			return c.stale(s, age, err)
		}
		if wait := h.asking; wait != nil {
			h.mu.Unlock()
			if s != nil && age >= 0 && age < every+renewalGrace {
				return s, nil
			}
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil, oauth.Unavailable(ctx.Err())
			}
		}
		counts := h.active
		h.active, h.asking = false, make(chan struct{})
		h.mu.Unlock()
		fresher, err := c.renew(ctx, h, counts)
		if err != nil {
			return c.stale(s, age, err)
		}
		return fresher, nil
	}
}

// age is how old what is known of the session is; below 0 for a session that is over by
// what is known, and after the clock was set back.
func (h *held) age(now time.Time) time.Duration {
	s := h.session
	if s == nil || !s.Ends.IsZero() && !now.Before(s.Ends) {
		return -1
	}
	return now.Sub(s.Asked)
}

// lately returns the error of the last question, while it is not worth asking again.
func (h *held) lately(now time.Time) error {
	if h.err == nil {
		return nil
	}
	pause := overFor
	if unavailable(h.err) {
		pause = retryPause
	}
	if since := now.Sub(h.failed); since < 0 || since >= pause {
		return nil
	}
	return h.err
}

// stale returns what is known of a session that the store cannot be asked about, if that
// still serves.
func (c *sessions) stale(s *sites.Session, age time.Duration, err error) (*sites.Session, error) {
	if s != nil && unavailable(err) && age >= 0 && age < interval(c.cfg.Life.Idle)+c.cfg.AllowStale {
		return s, nil
	}
	return nil, err
}

func unavailable(err error) bool { return oauth.AsError(err).Code == oauth.TemporarilyUnavailable }

// renew asks the store, for all who wait. It does not end with the request that asks.
func (c *sessions) renew(ctx context.Context, h *held, used bool) (s *sites.Session, err error) {
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		close(h.asking)
		h.asking, h.err, h.failed = nil, err, c.cfg.Issuer.Now()
		switch {
		case err != nil && unavailable(err):
			h.active = h.active || used
		case err != nil:
			h.session = nil
		case s != nil:
			h.session = s
			if used {
				h.used = s.Asked
			}
		}
	}()
	ctx = context.WithoutCancel(ctx)
	if h.key {
		return c.cfg.Issuer.Key(ctx, c.cfg.Origin, h.text)
	}
	return c.cfg.Issuer.Session(ctx, c.cfg.Origin, h.text, c.cfg.Life, used)
}

// presented returns the session of the cookie that a header carries, nil for none. A cookie
// that does not open is no cookie. Errors: TemporarilyUnavailable.
func (c *sessions) presented(ctx context.Context, header http.Header, used bool) (*held, *sites.Session, error) {
	var trouble error
	tried := 0
	for cookie := range wire.CookieValues(header, c.cookies.session) {
		if tried++; tried > maxPlanted {
			break
		}
		h, session, err := c.sessionOf(ctx, cookie, used)
		if err == nil {
			return h, session, nil
		}
		if unavailable(err) {
			trouble = err
		}
	}
	return nil, nil, trouble
}

// maxPlanted is how many cookies of our name are tried. A browser sends one; others could
// only be planted.
const maxPlanted = 3

// sessionOf returns the session of a cookie.
func (c *sessions) sessionOf(ctx context.Context, cookie string, used bool) (*held, *sites.Session, error) {
	p := proof{text: cookie}
	h := c.known(p)
	if h == nil {
		if _, ok := c.cfg.Issuer.Open(c.cfg.Origin, sites.UseSession, cookie); !ok {
			return nil, nil, errNoSession
		}
		h = c.find(p)
	}
	session, err := c.current(ctx, h, used)
	return h, session, err
}

// current returns a session that is held, if nobody has ended it.
func (c *sessions) current(ctx context.Context, h *held, used bool) (*sites.Session, error) {
	session, err := c.get(ctx, h, used)
	if err == nil {
		err = c.cfg.Issuer.Check(ctx, session.Claims)
	}
	if err != nil {
		return nil, err
	}
	return session, nil
}

var errNoSession = &oauth.Error{Code: oauth.InvalidGrant, Reason: oauth.ReasonBadMAC}
