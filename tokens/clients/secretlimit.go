package clients

import (
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// secretLimit bounds how many slow hashes of client secrets are computed for
// one network. Who guesses would keep every processor and place in the queue
// busy, and so keep out those whose secrets are not remembered yet, as all are
// after a restart. It counts in a table of fixed size, by a keyed hash.
type secretLimit struct {
	seed              maphash.Seed
	mu                sync.Mutex
	clients, networks [1 << 12]*rate.Limiter
}

// One network may try one client, or all that there are not, so often; and all
// clients together so often: many honest ones may share an address, and each
// is computed once.
const (
	triesPerClient  = 1 // each second
	clientBurst     = 20
	triesPerNetwork = 5 // each second
	networkBurst    = 60
)

// errTooManySecrets tells to come back. What is remembered passes all the while.
var errTooManySecrets = &oauth.Error{
	Code: oauth.TooManyRequests, Reason: oauth.ReasonRateLimited, RetryAfter: time.Second,
	Description: "Too many failed attempts from this address. Try again shortly.",
}

func newSecretLimit() *secretLimit { return &secretLimit{seed: maphash.MakeSeed()} }

// take asks for one try of a network at a client, "" for one that there is not.
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
