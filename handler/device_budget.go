package handler

import (
	"hash/maphash"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// deviceBudget bounds how many requests of devices one node writes to the
// store: whoever sends them need not be anybody. It counts each network, by a
// keyed hash in a table of fixed size, and all together.
type deviceBudget struct {
	seed   maphash.Seed
	places [1 << 10]*rate.Limiter
	all    *rate.Limiter
}

// A network may be that of a whole provider. All together stay under 50 MB of
// the store, since a request lives for a quarter of an hour.
const (
	devicesPerPlace = 2 // each second
	placeBurst      = 100
	devicesPerNode  = 150 // each second
	nodeBurst       = 1000
)

var errTooManyDevices = &oauth.Error{
	Code: oauth.TooManyRequests, Reason: oauth.ReasonRateLimited, RetryAfter: 5 * time.Second,
	Description: "Too many devices are asking at once. Try again shortly.",
}

func newDeviceBudget() *deviceBudget {
	b := &deviceBudget{seed: maphash.MakeSeed(), all: rate.NewLimiter(devicesPerNode, nodeBurst)}
	for i := range b.places {
		b.places[i] = rate.NewLimiter(devicesPerPlace, placeBurst)
	}
	return b
}

// take asks for one request.
func (b *deviceBudget) take(place string, now time.Time) bool {
	row := b.places[maphash.String(b.seed, place)%uint64(len(b.places))]
	return row.AllowN(now, 1) && b.all.AllowN(now, 1)
}
