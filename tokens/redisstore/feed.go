package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	// feedKept is about how many lines the feed keeps, in half a megabyte: a
	// node that was away for longer drops all that it holds.
	feedKept = 10_000
	// feedRead is how many lines one read returns at most.
	feedRead = 1000
)

// feedKeys are those of the feed, in one hash slot: its end and its lines.
func (s *Store) feedKeys() []string { return []string{s.key("{feed}e"), s.key("{feed}l")} }

// Announce implements storage.Feed. The feed lies in a slot of its own, so in a
// Cluster it can't be written by the script that denies. It is a second call in
// every topology, which only those pay for that deny something.
func (s *Store) Announce(ctx context.Context, l storage.FeedLine) error {
	line := append([]byte{byte(l.Kind)}, l.User[:]...)
	return s.lasting(ctx, "announce", s.scripts().feedAppend, s.feedKeys(), line, feedKept)
}

// ReadFeed implements storage.Feed.
func (s *Store) ReadFeed(ctx context.Context, after storage.FeedPosition, wait time.Duration) (storage.FeedPage, error) {
	s.mu.RLock()
	c, sc, opened, closed := s.conn, s.scripts().feedEnd, s.opening.Load() != nil, s.closed
	s.mu.RUnlock() // a read waits; Close must not wait for it
	switch {
	case closed:
		return storage.FeedPage{}, errClosed
	case !opened:
		return storage.FeedPage{}, errNotOpen
	}
	c.feed.reading.Lock()
	defer c.feed.reading.Unlock()
	limited, cancel := context.WithTimeout(ctx, wait+c.options.Timeout)
	defer cancel()
	page, err := s.readFeed(limited, c, sc, after, wait)
	if err != nil {
		c.feed.drop()
		reloadCluster(ctx, c.client) // the feed may have moved
		return storage.FeedPage{}, c.options.explain(ctx, err)
	}
	return page, nil
}

func (s *Store) readFeed(ctx context.Context, c *connection, sc *script, after storage.FeedPosition, wait time.Duration) (storage.FeedPage, error) {
	conn, isNew, err := s.feedConn(ctx, c)
	if err != nil {
		return storage.FeedPage{}, err
	}
	// go-redis does not end a read when its context is cancelled.
	defer context.AfterFunc(ctx, background.Safely(s.recovered, c.feed.drop))()
	if isNew || after == (storage.FeedPosition{}) {
		end, err := s.feedEnd(ctx, conn, sc)
		if err != nil {
			return storage.FeedPage{}, err
		}
		page := resume(after, end)
		lines, err := nextLines(ctx, conn, s.feedKeys()[1], page.Next, 0)
		lines.Loss = cmp.Or(page.Loss, lines.Loss)
		if err == nil && lines.Next.Number < end.Number { // they were deleted
			lines.Next, lines.Loss = end, cmp.Or(lines.Loss, storage.FeedGap)
		}
		return lines, err
	}
	page, err := nextLines(ctx, conn, s.feedKeys()[1], after, wait)
	if err != nil {
		return page, err
	}
	if len(page.Lines) > 0 {
		return page, nil
	}
	// Nothing has come. Was there nothing? The pool asks who is the primary now.
	end, err := s.feedEnd(ctx, c.client, sc)
	if err != nil {
		return page, err
	}
	if page = resume(after, end); page.Next.Number == end.Number {
		return page, nil
	}
	// A line was written just now, or this connection leads to another server.
	if page, err = nextLines(ctx, conn, s.feedKeys()[1], after, 0); err == nil && len(page.Lines) == 0 {
		err = errFeedElsewhere
	}
	return page, err
}

var errFeedElsewhere = errors.New("reading the feed: the server at the other end of this connection does not have the lines that the others see")

// resume returns where to go on reading, from a position and the feed's end.
func resume(after, end storage.FeedPosition) storage.FeedPage {
	switch {
	case after == (storage.FeedPosition{}):
		return storage.FeedPage{Next: end}
	case after.Born != 0 && after.Born != end.Born, end.Number < after.Number, older(end.ID, after.ID):
		return storage.FeedPage{Next: end, Loss: storage.FeedReplaced}
	}
	return storage.FeedPage{Next: after}
}

// older reports whether one id of a stream is before another.
func older(a, b string) bool {
	ma, na := splitID(a)
	mb, nb := splitID(b)
	return ma < mb || ma == mb && na < nb
}

func splitID(id string) (millis, number uint64) {
	left, right, _ := strings.Cut(id, "-")
	millis, _ = strconv.ParseUint(left, 10, 64)
	number, _ = strconv.ParseUint(right, 10, 64)
	return millis, number
}

// feedEnd asks for the end of the feed over some connection.
func (s *Store) feedEnd(ctx context.Context, over redis.Scripter, sc *script) (storage.FeedPosition, error) {
	number := s.calls.Add(1)
	v, err := sc.Run(ctx, over, s.feedKeys()[:1], number).Slice()
	if err != nil {
		return storage.FeedPosition{}, err
	}
	a, err := readAnswer(v, number)
	if err != nil {
		return storage.FeedPosition{}, err
	}
	end := storage.FeedPosition{}
	born, count := a.text(), a.text()
	end.ID = a.text()
	if a.err != nil {
		return end, a.err
	}
	if end.Born, err = strconv.ParseInt(born, 10, 64); err != nil {
		return end, errBadRecord
	}
	if end.Number, err = strconv.ParseUint(count, 10, 64); err != nil {
		return end, errBadRecord
	}
	return end, nil
}

// nextLines waits for lines behind a position. A range that was trimmed reads
// without an error: only the numbers tell.
func nextLines(ctx context.Context, conn *redis.Conn, key string, at storage.FeedPosition, wait time.Duration) (storage.FeedPage, error) {
	block := wait
	if block < time.Millisecond {
		block = -1 // 0 is for ever
	}
	streams, err := conn.XRead(ctx, &redis.XReadArgs{Streams: []string{key, at.ID}, Count: feedRead, Block: block}).Result()
	page := storage.FeedPage{Next: at}
	switch {
	case errors.Is(err, redis.Nil):
		return page, nil
	case err != nil:
		return page, err
	case len(streams) != 1:
		return page, errBadAnswer
	}
	for _, m := range streams[0].Messages {
		if err := addLine(&page, m); err != nil {
			return page, err
		}
	}
	millis, _ := splitID(page.Next.ID)
	page.Newest = time.UnixMilli(int64(millis))
	return page, nil
}

// addLine adds a line to a page and looks whether it follows the one before.
func addLine(page *storage.FeedPage, m redis.XMessage) error {
	text := func(name string) string { v, _ := m.Values[name].(string); return v }
	born, err := strconv.ParseInt(text("b"), 10, 64)
	if err != nil {
		return errBadRecord
	}
	number, err := strconv.ParseUint(text("n"), 10, 64)
	if err != nil {
		return errBadRecord
	}
	switch before := page.Next; {
	case before.Born != 0 && before.Born != born, number <= before.Number:
		page.Loss = storage.FeedReplaced
	case number != before.Number+1 && page.Loss == storage.FeedWhole:
		page.Loss = storage.FeedGap
	}
	page.Next = storage.FeedPosition{Born: born, Number: number, ID: m.ID}
	page.Lines = append(page.Lines, readLine(text("l")))
	return nil
}

// readLine reads a line; one that is not understood may be about anything.
func readLine(line string) storage.FeedLine {
	if len(line) < 1+len(storage.UserTag{}) {
		return storage.FeedLine{Kind: storage.FeedAll}
	}
	return storage.FeedLine{Kind: storage.FeedKind(line[0]), User: storage.UserTag([]byte(line[1 : 1+len(storage.UserTag{})]))}
}

// feedConn returns the connection, and whether it is a new one.
func (s *Store) feedConn(ctx context.Context, c *connection) (conn *redis.Conn, isNew bool, err error) {
	c.feed.mu.Lock()
	defer c.feed.mu.Unlock()
	switch {
	case c.feed.closed:
		return nil, false, errClosed
	case c.feed.conn != nil:
		return c.feed.conn, false, nil
	}
	base, err := feedServer(ctx, c.client, s.feedKeys()[0])
	if err != nil {
		return nil, false, err
	}
	o := *base.Options() // with Sentinel, the dialer finds the primary
	o.PoolSize, o.MinIdleConns, o.MaxRetries, o.MaintNotificationsConfig = 1, 0, -1, noNotifications
	c.feed.client = redis.NewClient(&o)
	c.feed.conn = c.feed.client.Conn()
	return c.feed.conn, true, nil
}

// feedServer returns the client of the server where the feed lies.
func feedServer(ctx context.Context, client redis.UniversalClient, key string) (*redis.Client, error) {
	switch client := client.(type) {
	case *redis.Client:
		return client, nil
	case *redis.ClusterClient:
		return client.MasterForKey(ctx, key)
	}
	return nil, fmt.Errorf("reading the feed: unknown client %T", client)
}
