package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What the ceiling keeps a rotation in.
const (
	ceilingOnFile  = "file"  // a page written, and one fsync for all who wait
	ceilingOnRedis = "redis" // a script that reads and writes one field of a hash
)

// ceiling serves the least that a rotation costs: net/http, to keep it, and one
// signature. It is a process of its own, as the gateway is: a server in the
// process of those who ask it wakes nobody up.
type ceiling struct {
	url   string
	cmd   *exec.Cmd
	input io.Closer // ends it
}

// startCeiling runs this program again, as serveCeiling.
func startCeiling(ctx context.Context, kind, place string) (*ceiling, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "-ceiling", kind, "-place", place)
	cmd.Stderr = os.Stderr
	input, err1 := cmd.StdinPipe()
	output, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return nil, err
	}
	url, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("starting the ceiling: %w", err)
	}
	return &ceiling{url: strings.TrimSpace(url), cmd: cmd, input: input}, nil
}

func (c *ceiling) stop() error { return errors.Join(c.input.Close(), c.cmd.Wait()) }

// serveCeiling serves until its input ends, and prints where.
func serveCeiling(kind, place string) error {
	keep, err := keeper(kind, place)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		kept := keep(r.Context())
		digest := sha256.Sum256([]byte(r.PostFormValue("refresh_token")))
		signature, signErr := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err := errors.Join(kept, signErr); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"refresh_token": "rt", "access_token": signature})
	})
	go func() { _ = http.Serve(l, handler) }()
	fmt.Println("http://" + l.Addr().String())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// keeper returns what makes a rotation last.
func keeper(kind, place string) (func(context.Context) error, error) {
	if kind == ceilingOnRedis {
		client := redis.NewClient(&redis.Options{Addr: place, PoolSize: 10 * runtime.GOMAXPROCS(0), Protocol: 2, DisableIdentity: true})
		return func(ctx context.Context) error {
			return bareScript.Run(ctx, client, []string{"bare:{" + strconv.Itoa(int(time.Now().UnixNano()%64)) + "}"}, "f").Err()
		}, nil
	}
	f, err := os.Create(place)
	if err != nil {
		return nil, err
	}
	waiting := make(chan chan error, 1024)
	go syncTogether(f, waiting)
	return func(context.Context) error {
		done := make(chan error, 1)
		waiting <- done
		return <-done
	}, nil
}

// bareScript is the least that a rotation can be: one hash field read and written.
var bareScript = redis.NewScript(`
local n = redis.call('HGET', KEYS[1], ARGV[1]) or 0
redis.call('HSET', KEYS[1], ARGV[1], n + 1)
return {n + 1, redis.call('TIME')[1]}`)

// syncTogether appends a page for everybody who waits and syncs once for all.
func syncTogether(f *os.File, waiting chan chan error) {
	page := make([]byte, 4096)
	for first := range waiting {
		group := []chan error{first}
		for len(waiting) > 0 {
			group = append(group, <-waiting)
		}
		_, err := f.WriteAt(page, 0)
		err = errors.Join(err, f.Sync())
		for _, done := range group {
			done <- err
		}
	}
}
