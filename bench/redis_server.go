package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
)

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
