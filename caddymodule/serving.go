package caddymodule

import (
	"slices"
	"sync"
)

// serving are the apps of the process between Start and Stop. Caddy replaces its
// admin endpoint before it knows whether a reload will succeed, and does not put
// the old one back: so the admin API, and what is reported through it, belong to
// no configuration and look here for the one that serves.
var serving servingApps

// servingApps are several while a reload hands over.
type servingApps struct {
	mu   sync.Mutex
	apps []*App // in the order of their start
}

// begin notes that an app has started.
func (s *servingApps) begin(a *App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps = append(s.apps, a)
}

// end notes that an app has stopped, or that Caddy has given its configuration
// up. It may be called again, and for an app that has never started.
func (s *servingApps) end(a *App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps = slices.DeleteFunc(s.apps, func(other *App) bool { return other == a })
}

// app returns the app that serves, nil for none: the newest whose configuration
// has started as a whole. One that has not may yet be refused, for the sake of
// another app, so it counts only where there is nothing else.
func (s *servingApps) app() *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range slices.Backward(s.apps) {
		if a.emitter.Delivers() {
			return a
		}
	}
	if n := len(s.apps); n > 0 {
		return s.apps[n-1]
	}
	return nil
}
