//go:build !linux

package boltstore

import "time"

// asleep knows nothing: a machine that has slept is taken for one whose clock was set.
func asleep(time.Time) func() time.Duration { return func() time.Duration { return 0 } }
