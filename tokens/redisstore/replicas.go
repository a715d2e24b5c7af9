package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// unreplicatedError is a write that too few replicas have.
type unreplicatedError struct {
	got, want int
	// committed says that the server has it all the same: the script was
	// answered, and the answer comes beside the error. Else nothing has happened.
	committed bool
}

func (e *unreplicatedError) Error() string {
	if !e.committed {
		return fmt.Sprintf("the replicas are behind, and %d would have to confirm the write: nothing was written", e.want)
	}
	return fmt.Sprintf("%d of %d replicas have confirmed the write in time", e.got, e.want)
}

// Unwrap makes it an error that passes by itself.
func (*unreplicatedError) Unwrap() error { return ErrUnreachable }

// isUnreplicated reports whether too few replicas are why a call has failed.
func isUnreplicated(err error) bool {
	var few *unreplicatedError
	return errors.As(err, &few)
}

// committed reports whether a script was answered: what it has ended is ended,
// though a failover may still lose that.
func committed(err error) bool {
	var few *unreplicatedError
	return err == nil || errors.As(err, &few) && few.committed
}

// lasting are the scripts whose effect must not be lost in a failover.
func (s *scripts) lasting(sc *script) bool {
	switch sc {
	case s.rotate, s.reuse, s.unanswered, s.createFamily, s.end, s.createSession, s.putCode, s.takeCode, s.decideDevice, s.pollDevice, s.denyToken,
		s.endClient, s.putGrant, s.swapKeys, s.beginRecheck, s.endRecheck, s.putIndex, s.useAssertion, s.feedAppend, s.enable,
		s.putAlias, s.rebind:
		return true
	}
	return false
}

// ends reports whether a script ends something, or reports an end or an unanswered
// call. The others begin something, or take it.
func (s *scripts) ends(sc *script) bool {
	switch sc {
	case s.reuse, s.unanswered, s.end, s.denyToken, s.endClient, s.feedAppend, s.endRecheck: // which may hold the only token that the provider still takes
		return true
	}
	return false
}

// sendLasting sends a script that replicas are to have, and waits for them
// unless they are known to be behind.
func (s *Store) sendLasting(ctx context.Context, c *connection, sc *script, keys []string, args []any) ([]any, error) {
	server, err := serverOf(ctx, c.client, keys[0])
	if err != nil {
		return nil, err
	}
	place := c.placeOf(server)
	if s.replication.behind(place) {
		return s.runBehind(ctx, c, sc, keys, args)
	}
	done, err := c.waits.take(ctx, place, c.options.mayWait())
	if err != nil {
		return nil, err
	}
	if s.replication.behind(place) { // by now
		done()
		return s.runBehind(ctx, c, sc, keys, args)
	}
	defer done()
	return s.runWaiting(ctx, c, route{server: server}, sc, keys, args)
}

// runBehind runs a script where the replicas are behind, and waits for none:
// that would take connections from calls to the primary, which is healthy.
//
// With Strict the caller is told to come again. What would take something from
// them, or begin something that they never hear of, is not run at all. What ends
// something is: until it is certain it holds at least as long as the primary.
func (s *Store) runBehind(ctx context.Context, c *connection, sc *script, keys []string, args []any) ([]any, error) {
	w := c.options.WaitReplicas
	s.options.OnUnreplicated()
	if w.Strict && !s.scripts().ends(sc) {
		return nil, &unreplicatedError{want: w.Number}
	}
	v, err := runAnywhere(ctx, c.client, sc, keys, args)
	if err == nil && w.Strict {
		err = &unreplicatedError{want: w.Number, committed: true}
	}
	return v, err
}

// runWaiting runs a script and waits for replicas, wherever its slot is.
func (s *Store) runWaiting(ctx context.Context, c *connection, to route, sc *script, keys []string, args []any) ([]any, error) {
	send := sc.EvalSha
	for try := 0; ; try++ {
		v, err := s.runAt(ctx, c, to, send, keys, args)
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			send = sc.Eval
			v, err = s.runAt(ctx, c, to, send, keys, args)
		}
		if committed(err) || try >= redirections && !moving(err) {
			return v, err
		}
		var again bool
		if to, again = c.reroute(ctx, to, keys[0], err); !again {
			return nil, err
		}
		select {
		case <-time.After(min(reconnectPause<<min(try, redirections), longestPause)):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// runAt runs a script at one server and waits for its replicas, on one connection
// and in one round trip: WAIT is about what its own connection has written.
func (s *Store) runAt(ctx context.Context, c *connection, to route, send sender, keys []string, args []any) ([]any, error) {
	w := c.options.WaitReplicas
	sent, pipe := time.Now(), to.server.Pipeline()
	if to.asking {
		pipe.Do(ctx, "ASKING")
	}
	cmd := send(ctx, pipe, keys, args...)
	wait := pipe.Do(ctx, "WAIT", w.Number, w.Timeout.Milliseconds())
	_, _ = pipe.Exec(ctx) // each command has its error
	v, err := cmd.Slice()
	if err != nil {
		return nil, err
	}
	got, err := wait.Int()
	if err == nil {
		s.replication.note(c.placeOf(to.server), sent, got >= w.Number)
	}
	return v, s.confirmed(w, got, err)
}

// sender is a way to send a script: by its hash or as text.
type sender = func(ctx context.Context, to redis.Scripter, keys []string, args ...any) *redis.Cmd

// confirmed tells of a write that too few replicas have.
func (s *Store) confirmed(w WaitReplicas, got int, err error) error {
	if err == nil && got >= w.Number {
		return nil
	}
	s.options.OnUnreplicated()
	if !w.Strict {
		return nil
	}
	return &unreplicatedError{got: got, want: w.Number, committed: true}
}
