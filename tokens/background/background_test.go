package background

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/singleflight"
)

// heard collects what is reported.
type heard struct {
	mu   sync.Mutex
	errs []error
}

func (h *heard) report(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs = append(h.errs, err)
}

func (h *heard) all() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.errs
}

func TestPanicIsAnErrorThatNamesItsLine(t *testing.T) {
	for name, c := range map[string]struct {
		work func() error
		want string
	}{
		"text":    {func() error { panic("canary") }, "recovering from a panic: string (at background/background_test.go:"},
		"error":   {func() error { panic(errors.New("a bug")) }, "recovering from a panic: a bug (at background/"},
		"runtime": {func() error { var p *heard; p.errs = nil; return nil }, "nil pointer dereference (at background/background_test.go:"},
		"value":   {func() error { panic(struct{ secret string }{"canary"}) }, "recovering from a panic: struct { secret string } (at"},
		"long":    {func() error { panic(errors.New(strings.Repeat("x", 10_000))) }, "…"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Try(c.work)
			if p := new(PanicError); !errors.As(err, &p) {
				t.Fatalf("%T %v", err, err)
			}
			if text := err.Error(); !strings.Contains(text, c.want) || strings.Contains(text, "canary") || len(text) > 500 {
				t.Errorf("error %q, want %q in it", text, c.want)
			}
		})
	}
	if want := errors.New("refused"); Try(func() error { return want }) != want { //nolint:errorlint // as it came
		t.Error("an error is not handed on")
	}
}

// R12: a goroutine and a timer that panic, and a report that does, too.
func TestSafely(t *testing.T) {
	var h heard
	var running sync.WaitGroup
	running.Go(Safely(h.report, func() { panic("a goroutine") }))
	running.Go(Safely(func(error) { panic("the report") }, func() { panic("a goroutine") }))
	running.Go(Safely(nil, func() { panic("nobody listens") }))
	Callback(h.report, func(int) { panic("a callback") })(7)
	running.Wait()
	timed := make(chan struct{})
	time.AfterFunc(0, Safely(func(err error) { h.report(err); close(timed) }, func() { panic("a timer") }))
	<-timed
	if got := h.all(); len(got) != 3 {
		t.Errorf("reported %v, want three", got)
	}
}

// R12: x/sync throws a panic again in a goroutine of its own, which ends the
// process. Here all who share the call get an error, and it is told once.
func TestShared(t *testing.T) {
	var h heard
	var group singleflight.Group
	release := make(chan struct{})
	call := Shared(h.report, func() (any, error) { <-release; panic(errors.New("in a shared call")) })
	first, second := group.DoChan("key", call), group.DoChan("key", call)
	close(release)
	for _, c := range []<-chan singleflight.Result{first, second} {
		if res := <-c; res.Err == nil || !strings.Contains(res.Err.Error(), "in a shared call") {
			t.Errorf("answer %+v", res)
		}
	}
	if got := h.all(); len(got) != 1 {
		t.Errorf("reported %v, want one", got)
	}
	value, err := Shared(h.report, func() (any, error) { return 7, nil })()
	if value != 7 || err != nil {
		t.Errorf("%v %v", value, err)
	}
}

// R12: a loop that panics each time backs off, and goes on when it can.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h heard
		begun := time.Now()
		var at []time.Duration
		Keep(t.Context(), h.report, func(context.Context) {
			at = append(at, time.Since(begun))
			if len(at) < 9 {
				panic("again")
			}
		})
		if len(at) != 9 || len(h.all()) != 8 || at[2] != 3*time.Second || at[8]-at[7] != longestPause {
			t.Errorf("ran at %v, %d reports", at, len(h.all()))
		}
		ctx, cancel := context.WithCancel(t.Context())
		Keep(ctx, func(error) { cancel() }, func(context.Context) { panic("at the end") })
	})
}
