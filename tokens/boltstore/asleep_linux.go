package boltstore

import (
	"syscall"
	"time"
)

// asleep tells how long the machine has slept since a time: the system's uptime
// counts that, and Go's monotonic time does not. To the second.
func asleep(begun time.Time) func() time.Duration {
	uptime := func() time.Duration {
		var s syscall.Sysinfo_t
		if err := syscall.Sysinfo(&s); err != nil {
			return 0
		}
		return time.Duration(s.Uptime) * time.Second
	}
	before := uptime()
	return func() time.Duration { return max(0, uptime()-before-time.Since(begun)) }
}
