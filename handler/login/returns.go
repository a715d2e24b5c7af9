package login

import "time"

// Returns limits who comes back from providers: addresses that bring what no provider
// has sent, since each such return is a request to it and it throttles us all, and
// people who sign in again and again. Their memory is bounded. Safe for concurrent use.
type Returns struct {
	places *limiter
	people *pace
}

// How often, on each node.
const (
	freeReturns  = 10  // failures from an address, and one more each minute
	personAtOnce = 100 // sign-ins of one person, and then
	personEvery  = 2 * time.Minute
)

// NewReturns makes a Returns.
func NewReturns() *Returns {
	return &Returns{
		places: newLimiter(freeReturns),
		people: newPace(personEvery, personAtOnce),
	}
}

// Wait returns how long an address has to wait, 0 for not at all. Returns are
// counted when they have failed, not before: a whole office may come back at once.
func (r *Returns) Wait(address string, now time.Time) time.Duration {
	return r.places.wait(addressKey(address), now)
}

// Failed counts a failure.
func (r *Returns) Failed(address string, now time.Time) {
	r.places.begin(addressKey(address), now)
}

// Person counts a sign-in of a person, or returns how long they have to wait. Each costs a session, and what the provider gave.
func (r *Returns) Person(subject string, now time.Time) time.Duration {
	return taken(r.people, subject, now)
}

func taken(p *pace, key string, now time.Time) time.Duration {
	if wait := p.wait(key, now); wait > 0 {
		return wait
	}
	p.take(key, now)
	return 0
}
