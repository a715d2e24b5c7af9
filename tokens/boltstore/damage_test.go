package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const damageUsers = 150

// wholeStore returns the bytes of a store with something of everything.
func wholeStore(t *testing.T) []byte {
	t.Helper()
	s := openStore(t, func(o *Options) { o.Path = filepath.Join(inMemory(t), "whole.db") })
	for i := range damageUsers {
		name := "local|" + strconv.Itoa(i)
		c := newChain(t, s, name)
		user := c.request.User
		err := errors.Join(
			c.rotate(s),
			s.DenyToken(t.Context(), user, storage.TokenID{1}, time.Now().Add(time.Hour)),
			s.PutGrant(t.Context(), storage.GrantID{byte(i), byte(i >> 8)}, []byte("grant"), time.Hour),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SwapKeys(t.Context(), 0, make([]byte, 900)); err != nil {
		t.Fatal(err)
	}
	b, err := s.Backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	data, err := io.ReadAll(b)
	if err != nil || int64(len(data)) != b.Size {
		t.Fatal(len(data), err)
	}
	return data
}

// freePages returns which pages of a store hold nothing.
func freePages(t *testing.T, path string, data []byte) map[int]bool {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	free := make(map[int]bool)
	if err := db.View(func(tx *bolt.Tx) error {
		for n := range len(data) / os.Getpagesize() {
			if info, err := tx.Page(n); err != nil || info.Type == "free" {
				free[n] = true
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return free
}

// useAll calls what reads and writes, and returns all errors, each once.
func useAll(s *Store) []error {
	ctx := context.Background()
	var all []error
	told := make(map[string]bool)
	note := func(err error) {
		if errors.Is(err, errStalled) {
			return // the machine is busy, which says nothing of the file
		}
		if err != nil && !told[err.Error()] {
			told[err.Error()] = true
			all = append(all, err)
		}
	}
	for i := range damageUsers {
		user := storage.TagSubject("local|" + strconv.Itoa(i))
		_, err := s.Profile(ctx, user)
		note(err)
		_, err = s.ListFamilies(ctx, user)
		note(err)
		_, err = s.Denials(ctx, []storage.UserTag{user})
		note(err)
		_, err = s.Grant(ctx, storage.GrantID{byte(i), byte(i >> 8)})
		note(err)
		if i%50 == 0 {
			note(s.DenyToken(ctx, user, storage.TokenID{2}, time.Now().Add(time.Hour)))
			_, err = s.End(ctx, storage.EndRequest{User: user, Scope: storage.EndUser, DenyFor: time.Minute, Attempt: storage.Attempt{1}})
			note(err)
		}
	}
	_, _, err := s.Keys(ctx)
	note(err)
	_, err = s.Beat(ctx, storage.BeatRequest{})
	note(err)
	note(s.file.tell(s.path, s.file.sweeper.sweep(ctx)))
	return all
}

// wantDamage demands of every error that it tells an operator what to do.
func wantDamage(t *testing.T, what, path string, errs ...error) {
	t.Helper()
	for _, err := range errs {
		switch {
		case err == nil:
		case errors.Is(err, storage.ErrWrongSecret), strings.Contains(err.Error(), "panic"):
			t.Errorf("%s: %v", what, err)
		case !errors.Is(err, errDamaged), !strings.Contains(err.Error(), path), !strings.Contains(err.Error(), "restore a backup"):
			t.Errorf("%s: %v", what, err)
		}
	}
}

// R6, R-53: a store that broke off, or of which pages or single bytes were
// changed, says that the file is damaged, at the start or when it is used. It
// never ends the process, and never blames another secret.
func TestR6DamagedFile(t *testing.T) {
	data := wholeStore(t)
	page := os.Getpagesize()
	broken := map[string][]byte{
		"half": data[:len(data)/2], "two pages": data[:2*page], "half a page": data[:page/2], "empty pages": make([]byte, len(data)),
		"something else": []byte(strings.Repeat("no database at all\n", 1000)),
	}
	for n := range len(data) / page {
		b := append([]byte{}, data...)
		for i := n * page; i < (n+1)*page; i++ {
			b[i] ^= 0xff
		}
		broken["page "+strconv.Itoa(n)] = b
		if n >= 2 { // of the two meta pages one is enough
			b = append([]byte{}, data...)
			clear(b[n*page : (n+1)*page])
			broken["page "+strconv.Itoa(n)+" of zeros"] = b
		}
	}
	random := rand.New(rand.NewPCG(6, uint64(len(data)))) // the same each time
	flips := 60
	if long {
		flips = 20_000
	}
	for n := range flips {
		b := append([]byte{}, data...)
		at := random.IntN(len(b))
		if n%3 == 0 { // where bbolt keeps what it trusts
			at = at/page*page + random.IntN(64)
		}
		b[at] ^= 1 << random.IntN(8)
		broken["byte "+strconv.Itoa(at)] = b
	}
	path := filepath.Join(inMemory(t), "broken.db")
	found, fine, free := 0, 0, freePages(t, path, data)
	for name, b := range broken {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := New(Options{Path: path})
		s.sweepEvery, s.watchEvery = time.Hour, time.Hour
		_, err := s.Open(t.Context(), openRequest)
		if err == nil {
			used := useAll(s)
			wantDamage(t, name, path, used...)
			err = errors.Join(used...)
			if closed := s.Close(); closed != nil && !errors.Is(closed, errDamaged) {
				t.Errorf("%s: closing: %v", name, closed)
			}
		}
		wantDamage(t, name, path, err)
		if err != nil {
			found++
		} else {
			fine++
		}
		var n int
		if _, wrong := fmt.Sscanf(name, "page %d", &n); wrong == nil && err == nil && n > 1 && !free[n] {
			t.Errorf("%s was not noticed", name)
		}
	}
	t.Logf("%d of %d damages were found; the others are in free pages", found, found+fine)
	if found < 50 {
		t.Errorf("only %d damages were found", found)
	}
}

// R6: the same while the store is open.
func TestR6DamagedWhileOpen(t *testing.T) {
	data := wholeStore(t)
	path := filepath.Join(inMemory(t), "gatehouse.db")
	random := rand.New(rand.NewPCG(7, 7)) // the same each time
	for n := range 40 {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := New(Options{Path: path})
		s.sweepEvery, s.watchEvery = 10*time.Millisecond, 10*time.Millisecond
		mustOpen(t, s)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		from := random.IntN(len(data)/2) + 2*os.Getpagesize()
		if _, err := f.WriteAt(make([]byte, len(data)/4), int64(from)); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		name := strconv.Itoa(n)
		wantDamage(t, name, path, useAll(s)...)
		begun := time.Now()
		for err = nil; err == nil && time.Since(begun) < 20*time.Second; time.Sleep(time.Millisecond) {
			_, err = s.Beat(t.Context(), storage.BeatRequest{})
		}
		if err == nil {
			t.Errorf("%s: the store says that it is well", name)
		}
		wantDamage(t, name, path, err)
		if err := s.Close(); err != nil && !errors.Is(err, errDamaged) {
			t.Errorf("%s: closing: %v", name, err)
		}
	}
}
