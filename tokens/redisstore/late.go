package redisstore

import (
	"context"
	"fmt"
	"time"
)

// spends says which scripts take something that the caller then no longer has.
// A server that stood still, in a fork or while its machine was paused, finds them
// in its sockets when the caller has long been told 503, and must not run them: the
// caller comes again with what it holds, beyond every leeway, and would be taken
// for a thief.
func (s *scripts) spends(sc *script) bool {
	return sc == s.rotate || sc == s.reuse || sc == s.takeCode || sc == s.pollDevice
}

// until returns the number of a call with the server's time, in milliseconds, up
// to which it may be run; the number alone where that is not known. It is somewhat
// before the caller gives up, since the clocks of a Cluster's servers differ.
func (s *Store) until(ctx context.Context, c *connection, number uint64, r *clockReading) any {
	deadline, limited := ctx.Deadline()
	if !limited || r == nil {
		return number
	}
	last := r.server.Add(deadline.Sub(r.at) - c.options.Timeout/4)
	return fmt.Sprintf("%d@%d", number, last.UnixMilli())
}

// outlast waits until a call that was sent at start, and not answered, can be run no more:
// before that nobody is told that nothing has happened.
func outlast(ctx context.Context, c *connection, start time.Time) {
	if time.Since(start) >= c.options.attemptTimeout() {
		<-ctx.Done()
	}
}

// foundLate reads the clock of a server where a script has found that its caller
// waits no more, and has done nothing; nil for any other answer.
func foundLate(v []any) *clockReading {
	if len(v) != 3 || v[1] != "late" {
		return nil
	}
	ms, _ := v[2].(int64)
	return &clockReading{at: time.Now(), server: time.UnixMilli(ms)}
}
