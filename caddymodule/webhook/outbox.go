package webhook

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// outbox posts the events of one webhook, so that a target that is slow or away
// holds up no other subscriber. Alarms go first and are tried for longer, and each
// kind has its own bound: others cannot fill the place of alarms.
type outbox struct {
	post   func(ctx context.Context, body []byte) error
	log    *zap.Logger
	report background.Report
	drop   func() // counts an event that is given up

	mu      sync.Mutex
	letters [2][]*letter // of each urgency, in the order of their arrival
	running bool
	ends    time.Time // when what is left is given up; zero while the configuration lives
	wake    chan struct{}
	failed  time.Time // when a failure was last logged
}

// letter is an event on its way.
type letter struct {
	name  string
	body  []byte
	alarm bool
	tries int
	due   time.Time
}

const (
	// outboxRoom is how many alarms may wait, and how many of all else.
	outboxRoom = 256
	// webhookTries is how often an event is tried that is no alarm: in five seconds.
	webhookTries = 3
	// alarmTries is how often an alarm is tried: in about a quarter of an hour.
	alarmTries = 20
	// The pause before the second try, then four times the one before, at most.
	webhookPause    = time.Second
	longestHookStop = time.Minute
	// webhookLogEvery is how often failures are logged, at most.
	webhookLogEvery = time.Second
	// outboxEnd is how long after the end of its configuration alarms are tried.
	outboxEnd = 30 * time.Second
)

func newOutbox(post func(context.Context, []byte) error, log *zap.Logger, report background.Report, drop func()) *outbox {
	return &outbox{post: post, log: log, report: report, drop: drop, wake: make(chan struct{}, 1)}
}

// send takes an event, if there is room.
func (o *outbox) send(name string, body []byte, alarm bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.list(alarm)
	if len(*list) >= outboxRoom {
		o.drop()
		return
	}
	*list = append(*list, &letter{name: name, body: body, alarm: alarm, due: time.Now()})
	if o.running {
		select {
		case o.wake <- struct{}{}:
		default:
		}
		return
	}
	o.running = true
	go background.Safely(o.report, func() { background.Keep(context.Background(), o.report, o.run) })()
}

func (o *outbox) list(alarm bool) *[]*letter {
	if alarm {
		return &o.letters[0]
	}
	return &o.letters[1]
}

// close gives up what is no alarm, and alarms after a moment: a reload must not lose them.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ends = time.Now().Add(outboxEnd)
	for range o.letters[1] {
		o.drop()
	}
	o.letters[1] = nil
	for _, l := range o.letters[0] {
		l.due = time.Now() // however long it would have waited for its next try
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run posts until nothing is left.
func (o *outbox) run(ctx context.Context) {
	for {
		l, wait, left := o.next(time.Now())
		switch {
		case !left:
			return
		case l == nil:
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-o.wake:
			}
			timer.Stop()
		default:
			o.try(ctx, l)
		}
	}
}

// next takes the letter to post now, alarms first, or tells how long to wait.
func (o *outbox) next(now time.Time) (l *letter, wait time.Duration, left bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ends.IsZero() && now.After(o.ends) {
		for range len(o.letters[0]) + len(o.letters[1]) {
			o.drop()
		}
		o.letters = [2][]*letter{}
	}
	wait = longestHookStop
	for i, list := range o.letters {
		for n, l := range list {
			if !l.due.After(now) {
				o.letters[i] = slices.Delete(list, n, n+1)
				return l, 0, true
			}
			left, wait = true, min(wait, l.due.Sub(now))
		}
	}
	o.running = left
	return nil, wait, left
}

// try posts a letter, and keeps it for later where that fails.
func (o *outbox) try(ctx context.Context, l *letter) {
	err := background.Try(func() error { return o.post(ctx, l.body) })
	if err == nil {
		return
	}
	l.tries++
	most := webhookTries
	if l.alarm {
		most = alarmTries
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	pause := min(webhookPause<<min(2*(l.tries-1), 10), longestHookStop)
	if now.Sub(o.failed) >= webhookLogEvery {
		o.failed = now
		o.log.Error("posting an event failed", zap.String("event", l.name), zap.Int("try", l.tries), zap.Int("of", most), zap.Error(err),
			zap.Int("waiting", len(o.letters[0])+len(o.letters[1])))
	}
	if l.tries >= most {
		o.drop()
		return
	}
	l.due = now.Add(pause)
	list := o.list(l.alarm)
	*list = append(*list, l)
}
