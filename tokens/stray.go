package tokens

import (
	"context"
	"runtime"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// strayTime is how long a request may lie unread while its node stands still.
const strayTime = 30 * time.Second

// stray reports whether a request comes after what its client has done since: it has hung up, and
// gone on at another node, where what it presents here was used. That is no theft. What was used
// longer ago, or is older than the two before the current one, is one, whoever waits for the answer.
func (i *Issuer) stray(ctx context.Context, t refreshToken) bool {
	for range 4 { // net/http finds out that somebody has hung up in a goroutine that has just begun
		runtime.Gosched()
	}
	if ctx.Err() == nil {
		return false
	}
	call, done := storage.Decisive(ctx)
	defer done()
	f, found, err := i.state.Store.LiveFamily(call, t.user, t.family.ID())
	near := t.generation < f.Generation && f.Generation-t.generation <= 2
	return err != nil || found && near && i.storeNow().Sub(f.Rotated) < strayTime
}
