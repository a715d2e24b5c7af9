package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// chain is a family whose refresh tokens are used in turn.
type chain struct {
	request storage.RotateRequest
}

// newChain begins a family of a user who is logged in.
func newChain(t testing.TB, s *Store, subject string) *chain {
	t.Helper()
	c, err := beginChain(s, subject, 1)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func beginChain(s *Store, subject string, number uint64) (*chain, error) {
	ctx := context.Background()
	user := storage.TagSubject(subject)
	session, err := s.CreateSession(ctx, storage.SessionRequest{
		User: user, ID: storage.SessionID{1}, Lifetime: time.Hour, Profile: storage.Profile{Subject: subject, Fingerprint: storage.Fingerprint{1}},
	})
	if err != nil {
		return nil, err
	}
	r := storage.CreateRequest{
		User: user, ID: storage.FamilyID{byte(number), byte(number >> 8)}, Client: storage.ClientTag{1}, Grant: storage.GrantID{1},
		Session: session.ID, Begun: session.Begun, Lifetime: 720 * time.Hour, IdleLifetime: 360 * time.Hour, MaxActive: 200,
		DenyFor: time.Hour, Attempt: newAttempt(),
	}
	res, err := s.CreateFamily(ctx, r)
	if err != nil || !res.Created {
		return nil, fmt.Errorf("CreateFamily: created %v, %w", res.Created, err)
	}
	return &chain{storage.RotateRequest{
		User: user, Family: r.ID, Client: r.Client, Grant: r.Grant, Presented: 1, Rotation: true, Leeway: 10 * time.Second,
		Lifetime: r.Lifetime, IdleLifetime: r.IdleLifetime, Fingerprints: []storage.Fingerprint{{1}}, DenyFor: time.Hour,
	}}, nil
}

var attempts atomic.Uint64

func newAttempt() (a storage.Attempt) {
	n := attempts.Add(1)
	for i := range a {
		a[i] = byte(n >> (8 * i))
	}
	return a
}

// rotate presents the newest token and takes its successor.
func (c *chain) rotate(s *Store) error {
	c.request.Attempt = newAttempt()
	res, err := s.Rotate(context.Background(), c.request)
	if err != nil {
		return err
	}
	if res.Outcome != storage.Rotated || res.Family.Generation != c.request.Presented+1 {
		return fmt.Errorf("presenting generation %d: outcome %d, generation %d", c.request.Presented, res.Outcome, res.Family.Generation)
	}
	c.request.Presented++
	return nil
}

func BenchmarkRotate(b *testing.B) {
	for _, workers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			s := openStore(b, redistest.Start(b))
			chains := make([]*chain, workers)
			for i := range chains {
				chains[i] = newChain(b, s, fmt.Sprint("local|", i))
			}
			before := redisWork(b, s)
			inWorkers(b, workers, func(worker, _ int) error { return chains[worker].rotate(s) })
			redisWork(b, s).report(b, before)
		})
	}
}

// BenchmarkRotateScript lets Redis do nothing but rotate: many scripts come at once, so
// that it neither waits nor reads and writes little.
func BenchmarkRotateScript(b *testing.B) {
	const many = 300
	s := openStore(b, redistest.Start(b))
	r := newChain(b, s, "local|alice").request
	keys := s.decidingKeys(r.User, held, denied, people)
	args := []any{ // without rotation the generation stays, and all else is done
		"1", s.grace(), r.Family[:], r.Client[:], r.Grant[:], 1, flag(false), 0, millis(r.Lifetime), millis(r.IdleLifetime), 0,
		joined(r.Fingerprints), 0, r.Attempt[:], 0, "?", 0, "",
	}
	mustDo(b, s.scripts().rotate.Load(b.Context(), s.conn.client).Err())
	before := redisWork(b, s)
	for left := b.N; left > 0; left -= many {
		pipe := s.conn.client.Pipeline()
		for range min(left, many) {
			s.scripts().rotate.EvalSha(b.Context(), pipe, keys, args...)
		}
		_, err := pipe.Exec(b.Context())
		mustDo(b, err)
	}
	redisWork(b, s).report(b, before)
}

// work is what a Redis server says that it has done.
type work struct {
	cpu     float64 // seconds
	scripts float64 // microseconds in scripts that were sent by their hash
}

// redisWork asks the server of a store.
func redisWork(b *testing.B, s *Store) (w work) {
	b.Helper()
	client := s.conn.client
	stats := readInfo(client.Info(b.Context(), "commandstats").Val())["cmdstat_evalsha"]
	for field := range strings.SplitSeq(stats, ",") {
		if usec, is := strings.CutPrefix(field, "usec="); is {
			w.scripts, _ = strconv.ParseFloat(usec, 64)
		}
	}
	cpu := readInfo(client.Info(b.Context(), "cpu").Val())
	for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
		seconds, err := strconv.ParseFloat(cpu[name], 64)
		if err != nil {
			b.Fatalf("reading %s: %v", name, err)
		}
		w.cpu += seconds
	}
	return w
}

// report tells what each call of a benchmark has cost the server.
func (w work) report(b *testing.B, before work) {
	b.Helper()
	b.ReportMetric((w.scripts-before.scripts)/float64(b.N), "script-µs/call")
	b.ReportMetric((w.cpu-before.cpu)*1e6/float64(b.N), "redis-µs/call")
}

// BenchmarkDenials asks for users of whom nothing is denied: one at a time, as
// a guarded route does, and many at once, as the renewal of verdicts does.
func BenchmarkDenials(b *testing.B) {
	s := openStore(b, redistest.Start(b))
	for _, batch := range []int{1, 256} {
		for _, workers := range []int{1, 64} {
			b.Run(fmt.Sprintf("users=%d/workers=%d", batch, workers), func(b *testing.B) {
				users := make([]storage.UserTag, batch)
				for i := range users {
					users[i] = storage.TagSubject(fmt.Sprint("local|", i))
				}
				inWorkers(b, workers, func(int, int) error {
					_, err := s.Denials(context.Background(), users)
					return err
				})
			})
		}
	}
}

// inWorkers shares b.N calls among goroutines.
func inWorkers(b *testing.B, workers int, call func(worker, n int) error) {
	b.Helper()
	b.ReportAllocs()
	var next atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for n := int(next.Add(1)); n <= b.N; n = int(next.Add(1)) {
				if err := call(worker, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
