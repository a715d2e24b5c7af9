package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// breaker stands before one server. When several calls in a row got no answer
// it opens: then calls fail at once, without a connection, a timer or a
// goroutine, and only the watch goes on asking. The first answer closes it.
type breaker struct {
	address  string
	patience time.Duration // how long an attempt waits for its answer
	client   *redis.Client

	failures atomic.Int32
	answered atomic.Int64                    // when the last answer came, in nanoseconds since begun
	open     atomic.Pointer[unansweredError] // nil while it is closed
}

// unansweredError is the answer of a breaker. It does not unwrap to what broke the
// connection: go-redis would try again.
type unansweredError struct {
	address, cause string
}

func (e *unansweredError) Error() string {
	return fmt.Sprintf("%s did not answer and is not asked until it does: %s", e.address, e.cause)
}

// begun is where breaker.answered counts from, on the monotonic clock.
var begun = time.Now()

// breakAfter is how many calls in a row get no answer before the breaker opens.
const breakAfter = 3

// probing marks the watch's own question, which an open breaker lets through.
type probing struct{}

// DialHook implements redis.Hook.
func (*breaker) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (b *breaker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if open := b.open.Load(); open != nil && ctx.Value(probing{}) == nil {
			cmd.SetErr(open)
			return open
		}
		start := time.Now()
		err := background.Try(func() error { return next(ctx, cmd) })
		b.judge(ctx, start, err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (b *breaker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if open := b.open.Load(); open != nil && ctx.Value(probing{}) == nil {
			for _, cmd := range cmds {
				cmd.SetErr(open)
			}
			return open
		}
		start := time.Now()
		err := background.Try(func() error { return next(ctx, cmds) }) // a Cluster runs it in a goroutine of its own
		b.judge(ctx, start, err)
		return err
	}
}

// judge counts failures. Any answer of the server, an error too, is none.
func (b *breaker) judge(ctx context.Context, start time.Time, err error) {
	var (
		answered redis.Error
		refused  *unansweredError
	)
	switch {
	case err == nil, errors.As(err, &answered):
		b.answered.Store(int64(time.Since(begun)))
		b.failures.Store(0)
		b.open.Store(nil)
	case errors.Is(err, redis.ErrClosed):
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted), errors.As(err, &refused):
		// The server was not asked: others had all connections, or it was this
		// breaker that refused while one was being made.
	case b.answered.Load() > int64(start.Sub(begun)):
		// Others were answered meanwhile, so this one has waited for a connection.
	case ctx.Err() != nil && time.Since(start) < b.patience:
		// The caller left early, which says nothing about the server.
	case b.failures.Add(1) >= breakAfter:
		b.open.Store(&unansweredError{address: b.address, cause: causeOf(err)})
	}
}

// causeOf shortens an error of the network for the message of every call.
func causeOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}

// breakers are those of all servers. A cluster's come and go.
type breakers struct {
	options *Options
	access  *credentials

	mu  sync.Mutex
	all []*breaker
}

// guard puts a breaker before a server, and before that what knows of changed passwords.
func (s *breakers) guard(address string, client *redis.Client) {
	b := &breaker{address: address, patience: s.options.attemptTimeout() + s.options.waitFor(), client: client}
	if s.access.read != nil {
		client.AddHook(s.access)
	}
	client.AddHook(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, b)
}

// probe asks the servers whose breakers are open and reports whether there were any.
func (s *breakers) probe(ctx context.Context) (any bool) {
	s.mu.Lock()
	all := append([]*breaker(nil), s.all...)
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, b := range all {
		if b.open.Load() == nil {
			continue
		}
		any = true
		wg.Go(background.Safely(s.options.recovered, func() {
			ctx, cancel := context.WithTimeout(context.WithValue(ctx, probing{}, true), s.options.attemptTimeout())
			defer cancel()
			if err := b.client.Ping(ctx).Err(); errors.Is(err, redis.ErrClosed) {
				s.forget(b.client) // the cluster has done with this server
			}
		}))
	}
	wg.Wait()
	return any
}

func (s *breakers) forget(gone *redis.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(b *breaker) bool { return b.client == gone })
}

// client returns the newest client of a server, nil where there is none.
func (s *breakers) client(address string) *redis.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range slices.Backward(s.all) {
		if b.address == address {
			return b.client
		}
	}
	return nil
}
