package tokens

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// strayTime is how long a request may lie unread while its node stands still.
const strayTime = 30 * time.Second

// errStray is of a request that was read after its client had hung up and gone on.
var errStray = storage.EndedNothing(errors.New("rotating: the client has hung up, and gone on elsewhere"))

// present presents a refresh token to the store. For a client that has hung up a reuse ends
// nothing at first: it may be a stray request. If it is none, it is presented again as it is.
// Errors: of the store, and errStray.
func (i *Issuer) present(ctx, call context.Context, r storage.RotateRequest) (storage.RotateResult, error) {
	if r.Unused || !hungUp(ctx) {
		return i.state.Store.Rotate(call, r)
	}
	sparing := r
	sparing.Spare = true
	res, err := i.state.Store.Rotate(call, sparing)
	switch {
	case err != nil || res.Outcome != storage.RotateSpared:
		return res, err
	case isStray(r.Presented, res.Family, i.storeNow()):
		return storage.RotateResult{}, errStray
	case r.Spare:
		return res, nil
	}
	return i.state.Store.Rotate(call, r)
}

// hungUp reports whether nobody waits for the answer, and lets net/http find out first: it does
// so in a goroutine that has just begun.
func hungUp(ctx context.Context) bool {
	for range 4 {
		runtime.Gosched()
	}
	return ctx.Err() != nil
}

// isStray reports whether a spent generation was presented before what its client has done since:
// it has hung up, and gone on at another node, where that was used. That is no theft. What was
// used longer ago, or is older than the two before the current one, is one, whoever waits.
func isStray(presented uint32, f storage.Family, now time.Time) bool {
	return f.Generation-presented <= 2 && now.Sub(f.Rotated) < strayTime
}

// isGone reports whether an error is of a stray request, which is nobody's business.
func isGone(err *oauth.Error) bool { return errors.Is(err.Cause, errStray) }
