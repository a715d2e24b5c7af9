package boltstore

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// TestOpenDamaged opens copies of a store that broke off, or whose pages were
// overwritten: an error at most, never the end of the process.
func TestOpenDamaged(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole.db")
	s := New(Options{Path: whole})
	mustOpen(t, s)
	for i := range 300 {
		user := tokens.TagSubject("local|" + strconv.Itoa(i))
		if _, err := s.CreateSession(t.Context(), tokens.SessionRequest{User: user, ID: tokens.SessionID{1}, Profile: make([]byte, 200)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	overwritten := func(page, size int) []byte {
		b := append([]byte{}, data...)
		for i := page * size; i < (page+1)*size && i < len(b); i++ {
			b[i] ^= 0xff
		}
		return b
	}
	broken := map[string][]byte{"half": data[:len(data)/2], "two pages": data[:2*page], "empty pages": make([]byte, len(data))}
	for n := range min(12, len(data)/page) {
		broken["page "+strconv.Itoa(n)] = overwritten(n, page)
	}
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "broken.db")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s := New(Options{Path: path})
			if _, err := s.Open(t.Context(), openRequest); err != nil {
				return
			}
			defer func() { _ = s.Close() }()
			for i := range 300 { // what is read may fail, and must not fault
				_, _ = s.Profile(t.Context(), tokens.TagSubject("local|"+strconv.Itoa(i)))
			}
			if name == "half" {
				t.Error("half a file was opened")
			}
		})
	}
}
