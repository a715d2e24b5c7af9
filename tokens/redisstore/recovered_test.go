package redisstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// faultyHook stands for a bug below our own hook, which is go-redis's code.
type faultyHook struct{ fault bool }

func (h *faultyHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *faultyHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if h.fault {
			panic(errors.New("a bug in a command"))
		}
		return next(ctx, cmd)
	}
}

func (h *faultyHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if h.fault {
			panic(errors.New("a bug in a pipeline"))
		}
		return next(ctx, cmds)
	}
}

// R12: the client of a Cluster runs pipelines in goroutines of its own, where a
// panic would end Caddy. Our hook, the first of each server's, makes it an error.
func TestR12PanicBelowTheBreaker(t *testing.T) {
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = client.Close() })
	(&breakers{options: &Options{Timeout: time.Second}, access: new(credentials)}).guard(server.Addr, client)
	below := new(faultyHook)
	client.AddHook(below)
	pipelined := func() error {
		pipe := client.Pipeline()
		pipe.Ping(t.Context())
		pipe.Time(t.Context())
		_, err := pipe.Exec(t.Context())
		return err
	}
	for name, call := range map[string]func() error{
		"command":  func() error { return client.Ping(t.Context()).Err() },
		"pipeline": pipelined,
	} {
		below.fault = true
		if _, panicked := errors.AsType[*background.PanicError](call()); !panicked {
			t.Errorf("%s: the panic is no error", name)
		}
		below.fault = false
		if err := call(); err != nil {
			t.Errorf("%s: after the panic: %v", name, err)
		}
	}
}

// R12: a callback of ours that panics in the watch. It goes on, and Close waits for nobody.
func TestR12PanicInTheWatch(t *testing.T) {
	server := redistest.Start(t)
	told := make(chan error, 100)
	s := openStore(t, server, func(o *Options) {
		o.OnCall = func(_ context.Context, op string, _ time.Duration, err error) {
			if op == "watch" {
				told <- err
				panic("the observer, too")
			}
		}
	})
	s.guarded(func() { panic(errors.New("a bug in the watch")) })
	if _, panicked := errors.AsType[*background.PanicError](<-told); !panicked {
		t.Error("the panic was not told as one")
	}
}
