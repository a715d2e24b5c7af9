package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
)

// benchRedis measures what Gatehouse does on a real Redis: rotations, guarded
// routes, memory, the list of a person's grants, and how soon another node hears
// of a revocation.
func benchRedis(ctx context.Context, o options) error {
	if path, _ := exec.LookPath("redis-server"); path == "" {
		fmt.Println("### On Redis: SKIPPED, there is no redis-server (apt-get install redis-server)")
		return nil
	}
	for _, part := range []func(context.Context, options) error{benchRedisRefresh, benchRedisRoute, benchRedisMemory, benchRedisList, benchLag} {
		if err := part(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// redisServer is a Redis of a measurement. It keeps nothing on disk.
type redisServer struct {
	addr string
	cmd  *exec.Cmd
}

func startRedis(ctx context.Context, o options) (*redisServer, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.dir, "redis")
	if err != nil {
		return nil, err
	}
	s := &redisServer{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))}
	s.cmd = exec.CommandContext(ctx, "redis-server", "--port", strconv.Itoa(ports[0]), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			return s, c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("starting redis-server: it does not answer"), s.stop())
}

func (s *redisServer) stop() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it was killed
	return nil
}

// onRedis starts a Redis and a seed in it.
func onRedis(ctx context.Context, o options, name string) (*redisServer, setup, *seed, error) {
	r, err := startRedis(ctx, o)
	if err != nil {
		return nil, setup{}, nil, err
	}
	s, err := newSetup(o, name, "ES256")
	if err != nil {
		return nil, s, nil, err
	}
	s.Redis = r.addr
	sd, err := seedStore(ctx, redisstore.New(redisstore.Options{Addresses: []string{r.addr}, Timeout: 5 * time.Second}), s.Issuer, s.Algorithm)
	return r, s, sd, err
}

// benchRedisRefresh is benchRefresh on Redis. The ceiling is net/http, one
// script and one signature.
func benchRedisRefresh(ctx context.Context, o options) error {
	r, s, sd, err := onRedis(ctx, o, "redis-refresh")
	if err != nil {
		return err
	}
	workers := []int{1, 16, 64}
	chains, err := sd.refreshTokens(ctx, slices.Max(workers), "offline_access read")
	if err := errors.Join(err, sd.close()); err != nil {
		return err
	}
	srv, err := start(ctx, o, s)
	if err != nil {
		return err
	}
	ceiling, err := startCeiling(ctx, ceilingOnRedis, r.addr)
	if err != nil {
		return err
	}
	fmt.Println("### Refresh rotations on Redis, ES256 (each worker rotates its own chain)")
	fmt.Println()
	if err := srv.compareRotations(ctx, o, workers, chains, ceiling.url); err != nil {
		return err
	}
	return errors.Join(ceiling.stop(), srv.stop(), r.stop())
}

// benchRedisRoute measures guarded routes whose tokens are each another
// person's, so that nothing is known of who comes with a fresh one.
func benchRedisRoute(ctx context.Context, o options) error {
	r, s, sd, err := onRedis(ctx, o, "redis-route")
	if err != nil {
		return err
	}
	fresh := 15_000 * o.seconds
	files, err := writeFiles(o, filepath.Base(s.Store), fresh, func(n int) ([]string, error) { return sd.userTokens(ctx, n) })
	if err := errors.Join(err, sd.close()); err != nil {
		return err
	}
	if err := measureRoute(ctx, o, s, "Guarded route on Redis, ES256, each token another person's", files, fresh); err != nil {
		return err
	}
	return r.stop()
}
