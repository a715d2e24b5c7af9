package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// commits returns how many transactions were committed to the file.
func commits(t testing.TB, s *Store) int {
	t.Helper()
	id := 0
	if err := s.file.db.View(func(tx *bolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

// TestGroupCommit: all that come while a commit is under way are the next one.
func TestGroupCommit(t *testing.T) {
	const writers = 64
	s := openStore(t)
	before := commits(t, s)
	running, goOn := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := decideIn(t.Context(), s.file, func(t *txn) (int, error) {
			close(running)
			<-goOn
			t.put(profiles, []byte{1}, []byte("written"))
			return 0, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-running
	for i := range writers {
		wg.Go(func() {
			if err := s.DenyToken(t.Context(), storage.UserTag{byte(i)}, storage.TokenID{1}, time.Now().Add(time.Minute)); err != nil {
				t.Errorf("DenyToken: %v", err)
			}
		})
	}
	for waiting := 0; waiting < writers; time.Sleep(time.Millisecond) {
		s.file.committer.mu.Lock()
		waiting = len(s.file.committer.waiting)
		s.file.committer.mu.Unlock()
	}
	close(goOn)
	wg.Wait()
	if n := commits(t, s) - before; n != 2 {
		t.Errorf("%d commits for one write and %d that came meanwhile, want 2", n, writers)
	}

	before = commits(t, s)
	for n := range 10 {
		if err := s.DenyToken(t.Context(), storage.UserTag{99}, storage.TokenID{byte(n)}, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if n := commits(t, s) - before; n != 10 {
		t.Errorf("%d commits for 10 writes one after the other: each must be durable before the next", n)
	}
}

func TestDecisionWithoutWritesDoesNotCommit(t *testing.T) {
	s := openStore(t)
	before := commits(t, s)
	for range 5 {
		if _, err := s.TakeCode(t.Context(), storage.TakeRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Rotate(t.Context(), storage.RotateRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := commits(t, s) - before; n != 0 {
		t.Errorf("%d commits for nothing", n)
	}
}

// batchOf makes decisions of which the named ones go wrong.
func batchOf(n int, wrong map[int]func(*txn) error) []*decision {
	batch := make([]*decision, n)
	for i := range batch {
		run := func(t *txn) error {
			t.put(profiles, []byte{byte(i)}, []byte("written"))
			return nil
		}
		if wrong[i] != nil {
			run = wrong[i]
		}
		batch[i] = &decision{run: run, done: make(chan struct{})}
	}
	return batch
}

func TestDecisionsDoNotHarmEachOther(t *testing.T) {
	errFault := errors.New("fault")
	cases := []struct {
		name  string
		wrong func(*txn) error
	}{
		{"error", func(*txn) error { return errFault }},
		{"error after writing", func(t *txn) error {
			t.put(profiles, []byte{100}, []byte("half"))
			return errFault
		}},
		{"panic after writing", func(t *txn) error {
			t.put(profiles, []byte{100}, []byte("half"))
			panic("fault")
		}},
		{"write that the database refuses", func(t *txn) error {
			t.put(profiles, []byte{100}, []byte("half"))
			t.put(profiles, nil, []byte("no key"))
			return nil
		}},
		{"write that panics", func(t *txn) error {
			t.put(profiles, []byte{100}, []byte("half"))
			t.put(bucketCount, []byte{1}, []byte("no bucket"))
			return nil
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := openStore(t)
			batch := batchOf(10, map[int]func(*txn) error{3: c.wrong, 7: c.wrong})
			s.file.committer.commit(batch)
			for i, d := range batch {
				<-d.done
				if wrong := i == 3 || i == 7; (d.err != nil) != wrong {
					t.Errorf("decision %d: error %v", i, d.err)
				}
			}
			half, err := viewIn(s, s.file, func(t *txn) (bool, error) { return t.has(profiles, []byte{100}), nil })
			if err != nil || half {
				t.Errorf("half of a decision was written: %v (%v)", half, err)
			}
			for i := range 10 {
				p, err := viewIn(s, s.file, func(t *txn) (bool, error) { return t.has(profiles, []byte{byte(i)}), nil })
				if err != nil || p == (i == 3 || i == 7) {
					t.Errorf("decision %d: written %v (%v)", i, p, err)
				}
			}
		})
	}
}

func TestPanicTellsNoSecret(t *testing.T) {
	s := openStore(t)
	_, err := decideIn(t.Context(), s.file, func(*txn) (int, error) { panic("rt1.secret") })
	var p *background.PanicError
	if !errors.As(err, &p) || !strings.HasPrefix(err.Error(), "recovering from a panic: string (at ") {
		t.Errorf("error %v", err)
	}
	if _, err := s.Now(t.Context()); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

func TestCallerMayLeave(t *testing.T) {
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	running, goOn := make(chan struct{}), make(chan struct{})
	left := make(chan error)
	go func() {
		_, err := decideIn(ctx, s.file, func(t *txn) (int, error) {
			close(running)
			<-goOn
			t.put(profiles, []byte{1}, []byte("written"))
			return 1, nil
		})
		left <- err
	}()
	<-running
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(goOn)
	// The decision is committed all the same, before what comes after it.
	got, err := decideIn(t.Context(), s.file, func(t *txn) (string, error) {
		v, err := t.get(profiles, []byte{1})
		return string(v), err
	})
	if err != nil || got != "written" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestUnreadablePages shows that a file that is cut under the store, as by a
// failing disk, is an error of the calls and not the end of the process.
func TestUnreadablePages(t *testing.T) {
	s := New(Options{Path: filepath.Join(inMemory(t), "gatehouse.db")})
	s.watchEvery = time.Hour
	mustOpen(t, s)
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, errDamaged) {
			t.Errorf("Close: %v", err)
		}
	})
	for i := range 200 {
		if err := s.PutGrant(t.Context(), storage.GrantID{byte(i)}, make([]byte, 4096), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(s.path, 3*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	faults := 0
	for i := range 200 {
		if _, err := s.Grant(t.Context(), storage.GrantID{byte(i)}); err != nil {
			faults++
		}
	}
	if faults == 0 {
		t.Error("no call failed")
	}
	if err := s.DenyToken(t.Context(), storage.UserTag{}, storage.TokenID{}, time.Now().Add(time.Hour)); err == nil {
		t.Log("a write still went through")
	}
}

// chain is a family that a benchmark or test rotates.
type chain struct {
	request storage.RotateRequest
}

func newChain(t testing.TB, s *Store, name string) *chain {
	t.Helper()
	user := storage.TagSubject(name)
	if _, err := s.CreateSession(context.Background(), storage.SessionRequest{User: user, Lifetime: time.Hour, Profile: storage.Profile{Subject: "alice"}}); err != nil {
		t.Fatal(err)
	}
	return &chain{newFamilyOf(t, s, user, name)}
}

func newFamilyOf(t testing.TB, s *Store, user storage.UserTag, name string) storage.RotateRequest {
	t.Helper()
	id := storage.FamilyID(storage.TagSubject("family of " + name))
	res, err := s.CreateFamily(context.Background(), storage.CreateRequest{
		User: user, ID: id, Client: storage.TagClient("app"), Lifetime: time.Hour, IdleLifetime: time.Hour,
		MaxActive: 1 << 20, DenyFor: time.Minute, Attempt: storage.Attempt{1}, Begun: time.Now(),
	})
	if err != nil || !res.Created {
		t.Fatalf("CreateFamily: created %v, %v", res.Created, err)
	}
	return storage.RotateRequest{
		Fingerprints: []storage.Fingerprint{{}},
		User:         user, Family: id, Client: storage.TagClient("app"), Presented: 1, Rotation: true, Leeway: 10 * time.Second,
		Lifetime: time.Hour, IdleLifetime: time.Hour, DenyFor: time.Minute,
	}
}

// rotate rotates the chain once.
func (c *chain) rotate(s *Store) error {
	c.request.Attempt = storage.Attempt{byte(c.request.Presented), byte(c.request.Presented >> 8), byte(c.request.Presented >> 16), 1}
	res, err := s.Rotate(context.Background(), c.request)
	if err != nil {
		return err
	}
	if res.Outcome != storage.Rotated {
		return fmt.Errorf("outcome %d", res.Outcome)
	}
	c.request.Presented++
	return nil
}
