package storage

import (
	"context"
	"time"
)

// decisionTime bounds a store call that decides.
const decisionTime = 10 * time.Second

// Decisive returns the context of a store call that decides. It does not end
// with the request: what the store has decided must be acted upon and reported,
// even if the client has hung up.
func Decisive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), decisionTime)
}
