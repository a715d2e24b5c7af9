package redisstore

import (
	"context"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// logged is what go-redis logs to; nil for nothing.
var logged atomic.Pointer[func(format string, args ...any)]

// logTo passes go-redis's log on. What it writes to standard error by itself is
// no use to an operator: each error reaches a caller too.
type logTo struct{}

// Printf implements logging of go-redis.
func (logTo) Printf(_ context.Context, format string, args ...any) {
	if f := logged.Load(); f != nil {
		(*f)("go-redis: "+format, args...)
	}
}

func init() {
	redis.SetLogger(logTo{})
}

// redirectLog gives go-redis's log, which belongs to the process, to the newest store.
func redirectLog(logf func(format string, args ...any)) {
	if logf != nil {
		logged.Store(&logf)
	}
}
