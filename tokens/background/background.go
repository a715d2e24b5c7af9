// Package background runs what no request waits for: goroutines, timers and
// shared calls. A panic in any of them would end the whole of Caddy, so each of
// the product's begins here (held by TestEveryGoroutineRecovers); Caddy itself
// recovers those of requests.
package background

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// Report hears of each panic that was caught, in the goroutine where that
// happened. It must not block. A nil Report ignores them.
type Report func(err error)

// PanicError is a panic that was caught.
type PanicError struct {
	// Value is what was thrown. It may hold anything: it is not for a log.
	Value any
	// Function is the one that has panicked, with the path of its package.
	Function string

	what string
	at   string // file:line of the panic
}

// Error tells the value where it is an error, else its type only, and the line of the code.
func (e *PanicError) Error() string { return "recovering from a panic: " + e.what + e.at }

// Try calls work and returns its panic as a *PanicError.
func Try(work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = caught(v)
		}
	}()
	return work()
}

// Safely makes work fit for a goroutine or a timer: its panic goes to report.
func Safely(report Report, work func()) func() {
	return func() { _ = tried(report, func() error { work(); return nil }) }
}

// Callback makes f fit to be called by a library in a goroutine of its own.
func Callback[T any](report Report, f func(T)) func(T) {
	return func(v T) { _ = tried(report, func() error { f(v); return nil }) }
}

// Shared makes call fit for a singleflight.Group, which throws the panic of a
// call again in a goroutine of its own, where nobody can catch it. Those who
// share the call get the panic as an error.
func Shared(report Report, call func() (any, error)) func() (any, error) {
	return func() (value any, err error) {
		err = tried(report, func() (err error) { value, err = call(); return err })
		return value, err
	}
}

// The pause of Keep before it runs work again.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// Keep runs work until it returns or ctx ends, and again after each panic: after
// a second, then after twice the pause before, a minute at most.
func Keep(ctx context.Context, report Report, work func(context.Context)) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, longestPause) {
		if tried(report, func() error { work(ctx); return nil }) == nil {
			return
		}
		again := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			again.Stop()
		case <-again.C:
		}
	}
}

// tried is Try that tells report of a panic. A panic of report itself ends there.
func tried(report Report, work func() error) (err error) {
	panicked := true
	err = Try(func() error {
		err := work()
		panicked = false
		return err
	})
	if panicked && report != nil {
		_ = Try(func() error { report(err); return nil })
	}
	return err
}

// caught must be called by the deferred function that has recovered v.
func caught(v any) *PanicError {
	const longest = 300
	what := fmt.Sprintf("%T", v) // it may hold anything
	if err, ok := v.(error); ok {
		what = err.Error()
	}
	if len(what) > longest {
		what = what[:longest] + "…"
	}
	function, at := placeOfPanic()
	return &PanicError{Value: v, Function: function, what: what, at: at}
}

// placeOfPanic finds the function and the line that have panicked: the first
// below the runtime's own.
func placeOfPanic() (function, at string) {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	panicking := false
	for {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if panicking && !inRuntime {
			dir, file := "", f.File
			if i := strings.LastIndexByte(file, '/'); i >= 0 {
				dir, file = file[:i], file[i+1:]
				dir = dir[strings.LastIndexByte(dir, '/')+1:] + "/"
			}
			return f.Function, fmt.Sprintf(" (at %s%s:%d)", dir, file, f.Line)
		}
		panicking = panicking || f.Function == "runtime.gopanic"
		if !more {
			return "", ""
		}
	}
}
