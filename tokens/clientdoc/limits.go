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
	maxUnexpected    = 6  // of them, of clients that no operator has named
	fetchesPerHost   = 30 // a minute
	unknownPerHost   = 20 // of them, of what is not known
	strangersPerHost = 10 // of these, for whoever is not signed in
	fetchesPerPerson = 10 // a minute, of what is not known: of somebody who is signed in, or of a network
)

// limits are how often something is fetched. They count in tables of fixed size, by a keyed hash.
//
// A host that strangers have asked for what is not there must not be shut to those who come for
// what is: so they share a part of what it is asked, and where that is used up somebody has to sign
// in first. What is known, or named by an operator as a whole, has the rest for itself: it is
// fetched twice a minute at most, whoever wants it.
type limits struct {
	seed                      maphash.Seed
	mu                        sync.Mutex
	hosts, unknown, strangers table // by host
	networks, people          table
	places, unexpected        chan struct{}
}

type table [1 << 10]*rate.Limiter

func newLimits() *limits {
	return &limits{seed: maphash.MakeSeed(), places: make(chan struct{}, maxFetches), unexpected: make(chan struct{}, maxUnexpected)}
}

// errBusy asks whoever wants a document to come back.
var errBusy = &oauth.Error{
	Code: oauth.TemporarilyUnavailable, Reason: oauth.ReasonRateLimited, RetryAfter: 10 * time.Second,
	Description: "Too many applications are looked up at this moment. Try again shortly.",
}

// wanted is what is to be fetched, and for whom.
type wanted struct {
	url      string
	visitor  Visitor
	known    bool // there was a good document before, or an operator has named the very URL
	expected bool // an operator has named the URL, or a place where it is
}

// take asks for one fetch. Errors: errBusy, and ErrSignIn where only somebody who is signed in
// may cause one more.
func (l *limits) take(w wanted, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	host := strings.TrimPrefix(oauth.DocumentOrigin(w.url), "https://")
	switch v := w.visitor; {
	case w.known:
	case v.Person != "" && !l.allows(&l.people, v.Person, fetchesPerPerson, now):
		return errBusy
	case v.Person == "" && (!l.allows(&l.networks, v.Network, fetchesPerPerson, now) || !l.allows(&l.strangers, host, strangersPerHost, now)):
		return ErrSignIn
	case !l.allows(&l.unknown, host, unknownPerHost, now):
		return errBusy
	}
	if !l.allows(&l.hosts, host, fetchesPerHost, now) {
		return errBusy
	}
	return nil
}

func (l *limits) allows(t *table, key string, perMinute int, now time.Time) bool {
	row := &t[maphash.String(l.seed, key)%uint64(len(t))]
	if *row == nil {
		*row = rate.NewLimiter(rate.Limit(perMinute)/60, perMinute)
	}
	return (*row).AllowN(now, 1)
}

// enter takes one of the places, and reports whether there was one. Leave gives it back.
func (l *limits) enter(w wanted) bool {
	if !w.expected && !took(l.unexpected) {
		return false
	}
	if !took(l.places) {
		if !w.expected {
			<-l.unexpected
		}
		return false
	}
	return true
}

func took(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l *limits) leave(w wanted) {
	<-l.places
	if !w.expected {
		<-l.unexpected
	}
}
