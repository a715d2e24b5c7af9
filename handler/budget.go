package handler

import (
	"hash/maphash"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// budget bounds how often one node does something for whoever asks, who need not be
// anybody. It counts each network, by a keyed hash in a table of fixed size, and all together.
type budget struct {
	seed   maphash.Seed
	places [1 << 10]*rate.Limiter
	all    *rate.Limiter
}

// A network may be that of a whole provider. All requests of devices together stay under 50 MB
// of the store, since one lives for a quarter of an hour. A registration keeps nothing.
const (
	devicesPerPlace = 2 // each second
	placeBurst      = 100
	devicesPerNode  = 150 // each second
	nodeBurst       = 1000

	registrationsPerPlace = 5 // each second
	registrationBurst     = 300
	registrationsPerNode  = 1000 // each second
)

var (
	errTooManyDevices = &oauth.Error{
		Code: oauth.TooManyRequests, Reason: oauth.ReasonRateLimited, RetryAfter: 5 * time.Second,
		Description: "Too many devices are asking at once. Try again shortly.",
	}
	errTooManyRegistrations = &oauth.Error{
		Code: oauth.TooManyRequests, Reason: oauth.ReasonRateLimited, RetryAfter: 5 * time.Second,
		Description: "Too many clients register themselves from this address. Try again shortly.",
	}
)

// newBudget makes a budget of so many each second, and so many at once, for a network and for all.
func newBudget(perPlace rate.Limit, placeBurst int, perNode rate.Limit, nodeBurst int) *budget {
	b := &budget{seed: maphash.MakeSeed(), all: rate.NewLimiter(perNode, nodeBurst)}
	for i := range b.places {
		b.places[i] = rate.NewLimiter(perPlace, placeBurst)
	}
	return b
}

// take asks for one.
func (b *budget) take(place string, now time.Time) bool {
	row := b.places[maphash.String(b.seed, place)%uint64(len(b.places))]
	return row.AllowN(now, 1) && b.all.AllowN(now, 1)
}
