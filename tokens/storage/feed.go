package storage

import (
	"context"
	"time"
)

// Feed tells every node what one of them has denied, so that they drop what
// they hold about it. It only makes a revocation fast: verdicts are never older
// than MaxLag, whatever becomes of the feed.
type Feed interface {
	// Announce appends a line, which every node that reads the feed hears.
	// A call that is sent again may append it twice.
	Announce(ctx context.Context, l FeedLine) error
	// ReadFeed returns the lines after a position, and waits up to `wait` for
	// the first one. The zero position is the end: its read returns at once.
	// So does the first read over a new connection, perhaps without lines: an
	// answer after an error means that the feed can be followed again, from Next
	// on. One goroutine reads. It stops waiting when ctx ends.
	ReadFeed(ctx context.Context, after FeedPosition, wait time.Duration) (FeedPage, error)
}

// FeedKind says what a FeedLine is about.
type FeedKind uint8

// The kinds of FeedLine. A node that does not know one takes it for FeedAll.
const (
	FeedUser   FeedKind = iota + 1 // something of the user was denied
	FeedClient                     // a client's watermark was set
	FeedAll                        // anything may have been denied
	FeedKeys                       // a signing key was dropped, or another one signs now
)

// FeedLine is one entry of the feed.
type FeedLine struct {
	Kind FeedKind
	User UserTag // with FeedUser
}

// FeedPosition is a place between two lines of the feed.
type FeedPosition struct {
	Born   int64  // which feed it is; an emptied or replaced store has a new one
	Number uint64 // of the line before; lines are numbered without gaps
	ID     string // what the store calls the line before, if it is not the number
}

// FeedLoss is why lines between two reads may never be heard.
type FeedLoss string

// The losses. The set is closed: each is a metric label.
const (
	FeedWhole    FeedLoss = ""         // none is missing
	FeedCut      FeedLoss = "cut"      // the connection broke; the reader's own finding
	FeedGap      FeedLoss = "gap"      // lines were trimmed before they were read
	FeedReplaced FeedLoss = "replaced" // it is another feed, or an older state of it
	FeedFailover FeedLoss = "failover" // another server is the primary; the heartbeat's finding
)

// FeedPage is what one read returned.
type FeedPage struct {
	Lines []FeedLine
	Next  FeedPosition // behind them
	Loss  FeedLoss
	// Newest is when the last line of the page was written; zero without lines.
	Newest time.Time
}
