package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const listening = 10 * time.Second

// listener reads the feed as a node does, over a store of its own.
type listener struct {
	t  *testing.T
	s  *Store
	at storage.FeedPosition
}

func listen(t *testing.T, s *Store) *listener {
	t.Helper()
	l := &listener{t: t, s: s}
	if page := l.read(); len(page.Lines) != 0 || page.Loss != storage.FeedWhole {
		t.Fatalf("the end of the feed: %+v", page)
	}
	return l
}

// try reads once.
func (l *listener) try() (storage.FeedPage, error) {
	page, err := l.s.ReadFeed(l.t.Context(), l.at, listening)
	if err == nil {
		l.at = page.Next
	}
	return page, err
}

func (l *listener) read() storage.FeedPage {
	l.t.Helper()
	page, err := l.try()
	if err != nil {
		l.t.Fatal(err)
	}
	return page
}

// again reads until the feed answers after a cut, which it must have noticed.
func (l *listener) again() storage.FeedPage {
	l.t.Helper()
	for noticed, start := false, time.Now(); ; time.Sleep(20 * time.Millisecond) {
		page, err := l.try()
		if err == nil && noticed {
			return page
		}
		noticed = noticed || err != nil
		if time.Since(start) > 20*time.Second {
			l.t.Fatalf("noticed %v; the feed does not answer: %v", noticed, err)
		}
	}
}

// lineOf is a line about the nth user.
func lineOf(n int) storage.FeedLine {
	return storage.FeedLine{Kind: storage.FeedUser, User: storage.TagSubject(fmt.Sprint("local|", n))}
}

func announce(t testing.TB, s *Store, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		mustDo(t, s.Announce(context.Background(), lineOf(n)))
	}
}

// wantLines reads until the lines from..to have come, in order.
func (l *listener) wantLines(from, to int) {
	l.t.Helper()
	for n := from; n < to; {
		page := l.read()
		if page.Loss != storage.FeedWhole || len(page.Lines) == 0 {
			l.t.Fatalf("at line %d: %+v", n, page)
		}
		for _, line := range page.Lines {
			if line != lineOf(n) {
				l.t.Fatalf("line %d is %+v", n, line)
			}
			n++
		}
	}
}

// TestFeedCut kills the connection that reads: the reader hears of it, and then
// of all that was written meanwhile.
func TestFeedCut(t *testing.T) {
	server := redistest.Start(t)
	a, b := openStore(t, server), openStore(t, server)
	l := listen(t, b)
	announce(t, a, 0, 3)
	l.wantLines(0, 3)

	announce(t, a, 3, 4)
	killReader(t, server)
	if page := l.again(); page.Loss != storage.FeedWhole || len(page.Lines) != 1 || page.Lines[0] != lineOf(3) {
		t.Errorf("the first page after a cut: %+v", page)
	}
	announce(t, a, 4, 6)
	l.wantLines(4, 6)

	// While it waits.
	waiting := make(chan error, 1)
	go func() { _, err := l.try(); waiting <- err }()
	untilBlocked(t, server)
	killReader(t, server)
	if err := <-waiting; !errors.Is(err, ErrUnreachable) {
		t.Errorf("a wait that was cut: %v", err)
	}
}

// killReader kills the connection that has read the feed.
func killReader(t *testing.T, server *redistest.Server) {
	t.Helper()
	killed := 0
	for client := range strings.Lines(server.Do("CLIENT", "LIST")) {
		if strings.Contains(client, "cmd=xread") {
			id, _, _ := strings.Cut(strings.TrimPrefix(client, "id="), " ")
			server.Do("CLIENT", "KILL", "ID", id)
			killed++
		}
	}
	if killed != 1 {
		t.Fatalf("%d connections read the feed:\n%s", killed, server.Do("CLIENT", "LIST"))
	}
}

func untilBlocked(t *testing.T, server *redistest.Server) {
	t.Helper()
	for start := time.Now(); !strings.Contains(server.Do("INFO", "clients"), "blocked_clients:1"); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("nobody waits for the feed")
		}
	}
}

// TestFeedLost takes lines away that were not read: no read fails, and the
// reader hears of each loss.
func TestFeedLost(t *testing.T) {
	lines, end := "gh:{feed}l", "gh:{feed}e"
	tests := []struct {
		name string
		lose func(t *testing.T, server *redistest.Server, writer *Store)
		want storage.FeedLoss
	}{
		{"trimmed", func(t *testing.T, server *redistest.Server, a *Store) {
			announce(t, a, 1, 5)
			server.Do("XTRIM", lines, "MAXLEN", "2")
		}, storage.FeedGap},
		{"lines deleted", func(t *testing.T, server *redistest.Server, a *Store) {
			announce(t, a, 1, 5)
			server.Do("DEL", lines)
			time.Sleep(2 * time.Millisecond) // or the ids of the next lines may begin anew within one
			announce(t, a, 5, 6)
		}, storage.FeedGap},
		{"lines deleted, none after", func(t *testing.T, server *redistest.Server, _ *Store) {
			server.Do("DEL", lines, end)
		}, storage.FeedReplaced},
		{"emptied", func(t *testing.T, server *redistest.Server, a *Store) {
			server.Do("FLUSHALL")
			announce(t, a, 1, 4)
		}, storage.FeedReplaced},
		{"emptied, none after", func(_ *testing.T, server *redistest.Server, _ *Store) { server.Do("FLUSHALL") }, storage.FeedReplaced},
		{"its end was deleted", func(t *testing.T, server *redistest.Server, a *Store) {
			server.Do("DEL", end)
			announce(t, a, 1, 2)
		}, storage.FeedReplaced},
		{"an older state", func(t *testing.T, server *redistest.Server, a *Store) {
			server.Do("HINCRBY", end, "number", "-1") // as on a replica that had not got the last line
			announce(t, a, 1, 2)
		}, storage.FeedReplaced},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := redistest.Start(t)
			a, b := openStore(t, server), openStore(t, server)
			announce(t, a, 0, 1)
			l := listen(t, b)
			announce(t, a, 0, 1)
			l.wantLines(0, 1)
			tt.lose(t, server, a)
			page, err := b.ReadFeed(t.Context(), l.at, 50*time.Millisecond)
			if errors.Is(err, errFeedElsewhere) { // ids that begin anew within one millisecond
				page, err = b.ReadFeed(t.Context(), l.at, 50*time.Millisecond)
			}
			if err != nil || page.Loss != tt.want {
				t.Fatalf("%+v, %v; want %s", page, err, tt.want)
			}
			l.at = page.Next
			announce(t, a, 7, 9)
			l.wantLines(7, 9)
		})
	}
}

// TestFeedWhileAway: after a reconnect, lines that were trimmed meanwhile are a gap.
func TestFeedWhileAway(t *testing.T) {
	server := redistest.Start(t)
	a, b := openStore(t, server), openStore(t, server)
	l := listen(t, b)
	announce(t, a, 0, 1)
	l.wantLines(0, 1)
	killReader(t, server)
	announce(t, a, 1, 6)
	server.Do("XTRIM", "gh:{feed}l", "MAXLEN", "1")
	if page := l.again(); page.Loss != storage.FeedGap || len(page.Lines) != 1 {
		t.Errorf("the page with the gap: %+v", page)
	}
}

// TestFeedElsewhere: a reader whose connection leads to a server that is the
// primary no more, and that nobody closes, does not wait there for ever.
func TestFeedElsewhere(t *testing.T) {
	old, new := redistest.Start(t), redistest.Start(t)
	a, b := openStore(t, new), openStore(t, old)
	announce(t, a, 0, 1)
	old.Do("REPLICAOF", "127.0.0.1", strconv.Itoa(new.Port))
	l := &listener{t: t, s: b}
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		l.at = storage.FeedPosition{}
		if page, err := l.try(); err == nil && page.Next.Number == 1 {
			break
		} else if time.Since(start) > 20*time.Second {
			t.Fatalf("%+v, %v", page, err)
		}
	}
	mustDo(t, errOf(b.ReadFeed(t.Context(), l.at, time.Millisecond)))
	old.Do("REPLICAOF", "NO", "ONE") // alone with our reader from now on
	b.conn.stop()                    // the watch, which looks at the client
	b.conn.watches.Wait()
	b.mu.Lock()
	client := b.conn.client
	b.conn.client = a.conn.client // the pool has followed the failover
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.conn.client = client
	}()
	announce(t, a, 1, 2)
	if _, err := b.ReadFeed(t.Context(), l.at, time.Millisecond); !errors.Is(err, errFeedElsewhere) {
		t.Errorf("a line that others see did not come: %v", err)
	}
	l.wantLines(1, 2) // over a new connection
}

func errOf(_ storage.FeedPage, err error) error { return err }

// TestFeedBounded: the feed takes no more than its share of memory, and is
// written when Redis is full.
func TestFeedBounded(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	keys := s.feedKeys()
	for range 3 * feedKept / 1000 {
		server.Do("EVAL", "for i = 1, 1000 do redis.call('XADD', KEYS[1], '*', 'b', '1795419456789', 'n', i, 'l', ARGV[1]) end", "1", keys[1], strings.Repeat("x", 17))
		mustDo(t, s.Announce(t.Context(), lineOf(1)))
	}
	length, err := strconv.Atoi(server.Do("XLEN", keys[1]))
	mustDo(t, err)
	bytes, err := strconv.Atoi(server.Do("MEMORY", "USAGE", keys[1], "SAMPLES", "0"))
	mustDo(t, err)
	t.Logf("%d lines in %d bytes", length, bytes)
	if length > feedKept+1200 || bytes > 1<<20 {
		t.Errorf("the feed keeps %d lines in %d bytes", length, bytes)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if err := s.Announce(t.Context(), lineOf(2)); err != nil {
		t.Errorf("a line when Redis is full: %v", err)
	}
}

// TestFeedClose: closing the store ends a wait at once.
func TestFeedClose(t *testing.T) {
	server := redistest.Start(t)
	s := New(Options{Addresses: []string{server.Addr}})
	_, err := s.Open(t.Context(), openRequest)
	mustDo(t, err)
	l := listen(t, s)
	waiting := make(chan error, 1)
	go func() { _, err := l.try(); waiting <- err }()
	untilBlocked(t, server)
	start := time.Now()
	mustDo(t, s.Close())
	if err := <-waiting; err == nil || time.Since(start) > listening/2 {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if _, err := l.try(); !errors.Is(err, errClosed) {
		t.Errorf("reading a closed store: %v", err)
	}
	if n := strings.Count(server.Do("CLIENT", "LIST"), "\n"); n > 1 {
		t.Errorf("%d connections are left", n)
	}
}

// TestFeedNewerVersion: a line that is not understood is about everything.
func TestFeedNewerVersion(t *testing.T) {
	for _, line := range []string{"", "\x01", "\x01short"} {
		if l := readLine(line); l.Kind != storage.FeedAll {
			t.Errorf("%q: %+v", line, l)
		}
	}
	if l := readLine("\x63" + strings.Repeat("u", 20)); l.Kind != 0x63 {
		t.Errorf("%+v", l)
	}
}
