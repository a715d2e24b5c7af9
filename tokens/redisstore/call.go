package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// call runs one method within the deadline.
func (s *Store) call(ctx context.Context, op string, run func(ctx context.Context, c *connection) error) error {
	start := time.Now()
	err := s.run(ctx, op, run)
	s.options.OnCall(ctx, op, time.Since(start), err)
	return err
}

func (s *Store) run(ctx context.Context, op string, run func(ctx context.Context, c *connection) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.closed:
		return errClosed
	case s.opening.Load() == nil:
		return errNotOpen
	}
	return s.neverSent(s.within(ctx, s.conn, func(ctx context.Context, c *connection) error {
		if !readers[op] {
			if err := s.mayWrite(); err != nil {
				return err
			}
			if err := s.mayDecide(ctx, c); err != nil {
				return err
			}
		}
		return run(ctx, c)
	}))
}

// neverSent marks the error of a call that a breaker has refused. In a Cluster it
// may have been sent to another server before.
func (s *Store) neverSent(err error) error {
	var refused *unansweredError
	if errors.As(err, &refused) && s.options.Mode != Cluster {
		return storage.EndedNothing(err)
	}
	return err
}

// within runs something under the deadline of a call and explains its error.
func (s *Store) within(ctx context.Context, c *connection, run func(ctx context.Context, c *connection) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("calling the store: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, c.options.longestCall())
	defer cancel()
	return c.options.explain(ctx, c.named(run(limited, c)))
}

// decide runs one script.
func (s *Store) decide(ctx context.Context, op string, sc *script, keys []string, args ...any) (answer, error) {
	var a answer
	err := s.call(ctx, op, func(ctx context.Context, c *connection) (err error) {
		a, err = s.eval(ctx, c, sc, keys, args...)
		return err
	})
	return a, err
}

// lasting runs a script without an answer and keeps it for the case of a failover.
func (s *Store) lasting(ctx context.Context, op string, sc *script, keys []string, args ...any) error {
	_, err := s.decide(ctx, op, sc, keys, args...)
	if committed(err) {
		s.journal.add(sc, keys, args...)
	}
	return err
}

// eval sends a script and checks that the answer is to this call. With an error
// that is committed, the answer comes beside it.
func (s *Store) eval(ctx context.Context, c *connection, sc *script, keys []string, args ...any) (answer, error) {
	number, start, spends := s.calls.Add(1), time.Now(), s.scripts().spends(sc)
	all := make([]any, 0, len(args)+1)
	all = append(append(all, number), args...)
	if spends {
		all[0] = s.until(ctx, c, number, s.serverClock.Load())
	}
	v, err := s.send(ctx, c, sc, keys, all)
	if clock := foundLate(v); clock != nil { // and yet somebody waits: its clock is another one
		all[0] = s.until(ctx, c, number, clock)
		v, err = s.send(ctx, c, sc, keys, all)
	}
	if !committed(err) {
		if spends && !isUnreplicated(err) {
			outlast(ctx, c, start)
		}
		return answer{}, err
	}
	a, unread := readAnswer(v, number)
	return a, cmp.Or(unread, err)
}

// send sends a script, and waits for replicas where they are to have what it writes.
func (s *Store) send(ctx context.Context, c *connection, sc *script, keys []string, args []any) ([]any, error) {
	if c.options.WaitReplicas.Number > 0 && s.scripts().lasting(sc) {
		return s.sendLasting(ctx, c, sc, keys, args)
	}
	return runAnywhere(ctx, c.client, sc, keys, args)
}

// grace is for how long a user's profile is kept when the last session and
// family are over: access tokens may live longer, and userinfo answers to them.
func (s *Store) grace() int64 {
	o := s.opening.Load()
	if o == nil {
		return 0 // and the call will fail
	}
	return millis(o.result.TokenLifetime + time.Minute)
}
