package clientdoc

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// How much this node asks of others on behalf of strangers.
const (
	maxFetches       = 8  // at once
	fetchesPerHost   = 30 // a minute
	fetchesPerPerson = 10 // a minute, of one network
)

// limits are how often something is fetched. They count in tables of fixed size, by a keyed hash.
type limits struct {
	seed            maphash.Seed
	mu              sync.Mutex
	hosts, visitors [1 << 10]*rate.Limiter
	places          chan struct{}
}

func newLimits() *limits {
	return &limits{seed: maphash.MakeSeed(), places: make(chan struct{}, maxFetches)}
}

// errBusy asks whoever wants a document to come back.
var errBusy = &oauth.Error{
	Code: oauth.TemporarilyUnavailable, Reason: oauth.ReasonRateLimited, RetryAfter: 10 * time.Second,
	Description: "Too many applications are looked up at this moment. Try again shortly.",
}

// take asks for one fetch of a URL for a visitor, who is nil where nobody waits for it.
func (l *limits) take(url string, v *Visitor, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v != nil && !l.row(&l.visitors, v.Network, fetchesPerPerson).AllowN(now, 1) {
		return false
	}
	host := strings.TrimPrefix(oauth.DocumentOrigin(url), "https://")
	return l.row(&l.hosts, host, fetchesPerHost).AllowN(now, 1)
}

func (l *limits) row(table *[1 << 10]*rate.Limiter, key string, perMinute int) *rate.Limiter {
	row := &table[maphash.String(l.seed, key)%uint64(len(table))]
	if *row == nil {
		*row = rate.NewLimiter(rate.Limit(perMinute)/60, perMinute)
	}
	return *row
}

// enter takes one of the places, and reports whether there was one. Leave gives it back.
func (l *limits) enter() bool {
	select {
	case l.places <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l *limits) leave() { <-l.places }
