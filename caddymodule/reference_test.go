package caddymodule

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestReference(t *testing.T) {
	broken := errors.New("closing")
	for _, tt := range []struct {
		name string
		run  func(h *reference) error
		want int32 // how often it was given back
		told string
	}{
		{name: "no request", want: 1, run: func(h *reference) error { return h.release() }},
		{name: "a request that has ended", want: 1, run: func(h *reference) error { h.begin()(); return h.release() }},
		{name: "a request under way", run: func(h *reference) error { h.begin(); return h.release() }},
		{name: "the last request ends", want: 1, run: func(h *reference) error {
			first, second := h.begin(), h.begin()
			err := h.release()
			third := h.begin()
			first()
			third()
			second()
			return err
		}},
		{name: "one that begins afterwards", want: 1, run: func(h *reference) error {
			err := h.release()
			h.begin()()
			return err
		}},
		{name: "a request that does not end", want: 1, run: func(h *reference) error {
			end := h.begin()
			err := h.release()
			time.Sleep(drainTimeout + time.Second)
			end()
			h.begin()()
			return err
		}},
		{name: "an error that nobody waits for", want: 1, told: "closing", run: func(h *reference) error {
			giveBack := h.giveBack
			h.giveBack = func() error { _ = giveBack(); return broken }
			end := h.begin()
			err := h.release()
			end()
			return err
		}},
		{name: "a panic", want: 1, told: "panic: closing", run: func(h *reference) error {
			giveBack := h.giveBack
			h.giveBack = func() error { _ = giveBack(); panic(errors.New("closing")) }
			end := h.begin()
			err := h.release()
			end()
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var given atomic.Int32
				told := make(chan string, 1)
				h := newReference(func() error { given.Add(1); return nil }, func(err error) { told <- err.Error() })
				if err := tt.run(h); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if n := given.Load(); n != tt.want {
					t.Errorf("given back %d times, want %d", n, tt.want)
				}
				time.Sleep(2 * drainTimeout)
				synctest.Wait()
				if n := given.Load(); n != 1 {
					t.Errorf("in the end it was given back %d times", n)
				}
				close(told)
				if text := <-told; !strings.Contains(text, tt.told) || tt.told == "" && text != "" {
					t.Errorf("told of %q, want %q", text, tt.told)
				}
			})
		})
	}
}
