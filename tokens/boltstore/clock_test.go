package boltstore

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// machine is a machine whose clock can be set, unlike the time that passes.
type machine struct {
	*testClock
	passed time.Duration
	slept  time.Duration
}

func newMachine() *machine { return &machine{testClock: newTestClock()} }

// pass lets time pass, as often as the watch looks.
func (m *machine) pass(c *clock, d time.Duration) {
	for ; d > 0; d -= time.Second {
		step := min(d, time.Second)
		m.passed += step
		m.Advance(step)
		c.now()
	}
}

func (m *machine) clock() *clock {
	return &clock{wall: m.Now, mono: func() time.Duration { return m.passed }, asleep: func() time.Duration { return m.slept }}
}

// R7: a clock that jumps is not followed at once.
func TestR7ClockThatJumps(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name string
		step time.Duration
	}{{"40 days ahead for a minute", 40 * day}, {"a year back for a minute", -365 * day}, {"11 seconds ahead", 11 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine()
			k := m.clock()
			start := k.now()
			m.Advance(c.step)
			m.pass(k, time.Minute)
			if got := k.now().Sub(start); got != time.Minute {
				t.Errorf("the store's time has gone on by %s in a minute", got)
			}
			if err := k.doubted(); err == nil || !strings.Contains(err.Error(), "the store follows in 9m") {
				t.Errorf("no word of it: %v", err)
			}
			m.Advance(-c.step)
			m.pass(k, time.Minute)
			if got := k.now().Sub(start); got != 2*time.Minute || k.doubted() != nil {
				t.Errorf("afterwards %s, %v", got, k.doubted())
			}
		})
	}
	t.Run("one that stays is believed, and nothing is removed by it for a day", func(t *testing.T) {
		m := newMachine()
		k := m.clock()
		start := k.now()
		m.Advance(40 * day)
		m.pass(k, believeAfter+2*time.Second)
		if got := k.now().Sub(start); got < 40*day || k.doubted() != nil {
			t.Errorf("the store's time has gone on by %s: %v", got, k.doubted())
		}
		if got := k.settled().Sub(start); got > time.Hour {
			t.Errorf("what has run out within %s is removed", got)
		}
		m.pass(k, keepAfterGap)
		if got := k.settled().Sub(k.now()); got < 0 {
			t.Errorf("what has run out %s ago is kept", -got)
		}
	})
	t.Run("small corrections are followed", func(t *testing.T) {
		m := newMachine()
		k := m.clock()
		k.now()
		for range 20 {
			m.Advance(-9 * time.Second)
			m.pass(k, time.Second)
		}
		if off := k.now().Sub(m.Now()); off.Abs() > 9*time.Second || k.doubted() != nil {
			t.Errorf("%s off, %v", off, k.doubted())
		}
	})
	t.Run("a second jump is a doubt of its own", func(t *testing.T) {
		m := newMachine()
		k := m.clock()
		start := k.now()
		for range 5 {
			m.Advance(day)
			m.pass(k, believeAfter/2)
		}
		if got := k.now().Sub(start); got > day {
			t.Errorf("a clock that was never right for long was followed, by %s", got)
		}
	})
	t.Run("a machine that has slept", func(t *testing.T) {
		m := newMachine()
		k := m.clock()
		start := k.now()
		m.Advance(8 * time.Hour)
		m.slept = 8 * time.Hour
		if got := k.now().Sub(start); got != 8*time.Hour || k.doubted() != nil {
			t.Errorf("after 8 h of sleep it is %s later: %v", got, k.doubted())
		}
	})
}

// on opens a store on a machine.
func (m *machine) on(t *testing.T, path string) *Store {
	t.Helper()
	s := New(Options{Path: path, Clock: m.Now, Monotonic: func() time.Duration { return m.passed }})
	s.watchEvery, s.sweepEvery = time.Hour, time.Hour
	mustOpen(t, s)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// R7: 40 days ahead for a minute ended every login and removed it; a boot a year
// behind had everybody out. The store keeps its own time, over a restart too.
func TestR7NobodyIsOutByTheClock(t *testing.T) {
	const day = 24 * time.Hour
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	m := newMachine()
	s := m.on(t, path)
	c := newChain(t, s, "local|alice")
	rotate := func(what string) {
		t.Helper()
		m.pass(&s.clock, 11*time.Second) // past the leeway
		if err := c.rotate(s); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if err := s.file.sweeper.sweep(t.Context()); err != nil {
			t.Error(err)
		}
		s.file.watch.proved = time.Time{}
		s.file.watch.prove()
		<-s.file.watch.proof.done
	}
	rotate("at first")
	m.Advance(400 * day)
	rotate("while the clock is 400 days ahead")
	if b, err := s.Beat(t.Context(), storage.BeatRequest{}); err != nil || b.ClockDoubt == nil {
		t.Errorf("no doubt: %+v, %v", b, err)
	}
	m.Advance(-400 * day)
	rotate("after that")
	before := s.clock.now()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	m.Advance(-365 * day)
	s = m.on(t, path)
	if now := s.clock.now(); now.Before(before.Add(-proveEvery)) {
		t.Errorf("after a boot a year behind it is %s earlier", before.Sub(now))
	}
	rotate("booted a year behind")
	m.Advance(365*day + time.Hour) // NTP is there
	rotate("and set forward")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m.Advance(20 * day) // it was off; nothing can be told from that, but nothing is removed at once
	s = m.on(t, path)
	if err := s.file.sweeper.sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if n := count(t, s, families); n != 1 {
		t.Errorf("%d families after a boot 20 days later, want 1", n)
	}
}

// R7: a store that was born under a clock that was ahead.
func TestR7BornAhead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	m := newMachine()
	m.Advance(time.Hour)
	s := m.on(t, path)
	s.file.watch.proved = time.Time{}
	s.file.watch.prove()
	<-s.file.watch.proof.done
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m.Advance(-time.Hour)
	s = m.on(t, path)
	b, err := s.Beat(t.Context(), storage.BeatRequest{})
	if err != nil || b.ClockDoubt == nil || b.Now.Before(b.Born) {
		t.Errorf("the store goes on before its birth: %+v, %v", b, err)
	}
	m.pass(&s.clock, believeAfter+2*time.Second)
	if b, err = s.Beat(t.Context(), storage.BeatRequest{}); err != nil || b.ClockDoubt != nil || b.Now.Sub(m.Now()).Abs() > time.Second {
		t.Errorf("the machine's clock is not followed: %+v, %v", b, err)
	}
	if _, err := s.Open(t.Context(), storage.OpenRequest{Secrets: openRequest.Secrets}); err != nil {
		t.Error(err)
	}
}
