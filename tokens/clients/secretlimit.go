package clients

import (
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// secretLimit bounds how many slow hashes of client secrets are computed for
// one network. Guessing would otherwise keep every processor and place in the queue
// busy, and so keep out clients whose secrets are not remembered yet: all of them,
// after a restart. It counts in a table of fixed size, by a keyed hash.
type secretLimit struct {
	seed              maphash.Seed
	mu                sync.Mutex
	clients, networks [1 << 12]*rate.Limiter
}

// How often one network may try one client (or all unknown ones together), and all
// clients together: many honest ones may share an address, and each secret is
// computed once.
const (
	triesPerClient  = 1 // each second
	clientBurst     = 20
	triesPerNetwork = 5 // each second
	networkBurst    = 60
)

// errTooManySecrets asks the client to come back. Remembered secrets pass all the while.
var errTooManySecrets = &oauth.Error{
	Code: oauth.TooManyRequests, Reason: oauth.ReasonRateLimited, RetryAfter: time.Second,
	Description: "Too many failed attempts from this address. Try again shortly.",
}

func newSecretLimit() *secretLimit { return &secretLimit{seed: maphash.MakeSeed()} }

// take asks for one try of a network at a client, "" for an unknown one.
func (l *secretLimit) take(network, client string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := &l.clients[maphash.String(l.seed, network+" "+client)%uint64(len(l.clients))]
	if *one == nil {
		*one = rate.NewLimiter(triesPerClient, clientBurst)
	}
	all := &l.networks[maphash.String(l.seed, network)%uint64(len(l.networks))]
	if *all == nil {
		*all = rate.NewLimiter(triesPerNetwork, networkBurst)
	}
	if !(*one).AllowN(now, 1) || !(*all).AllowN(now, 1) {
		return errTooManySecrets
	}
	return nil
}
