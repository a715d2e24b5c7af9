package denylist

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	// askedAtOnce is how many questions to the store are under way at once.
	// Those who come meanwhile gather, and are the next question together.
	askedAtOnce = 4
	// askedTogether is how many users one question is about at most.
	askedTogether = 256
)

// asker asks the store about users of whom nothing is held. A single caller asks at
// once, in its own goroutine; callers that come while all questions are under way
// share the next one. No question depends on another caller's context, and no
// caller waits longer than its own context lasts.
type asker struct {
	denylist *Denylist

	mu       sync.Mutex
	underway int
	open     map[storage.UserTag]*inquiry // asked or waiting to be
	waiting  []*inquiry                   // in the order of their coming
}

// inquiry is what anybody wants to know about one user.
type inquiry struct {
	user    storage.UserTag
	epoch   moment        // when it was sent, or came to wait
	done    chan struct{} // closed when it is answered; nil while one goroutine alone has part in it
	verdict *verdict
	err     error
}

// ask asks about one user.
func (a *asker) ask(ctx context.Context, user storage.UserTag) (*verdict, error) {
	a.mu.Lock()
	now := a.denylist.epoch(user)
	if q := a.open[user]; q != nil && q.epoch == now {
		// Asked after all that has changed until now: the answer will do.
		if q.done == nil {
			q.done = make(chan struct{})
		}
		a.mu.Unlock()
		return a.await(ctx, q)
	}
	q := &inquiry{user: user, epoch: now}
	a.open[user] = q
	if a.underway >= askedAtOnce {
		q.done = make(chan struct{})
		a.waiting = append(a.waiting, q)
		a.mu.Unlock()
		return a.await(ctx, q)
	}
	a.underway++
	a.mu.Unlock()
	a.askAlone(ctx, q)
	if q.err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return q.verdict, q.err
}

// await waits for the answer. If the caller that asked has gone before there was
// one, it asks again.
func (a *asker) await(ctx context.Context, q *inquiry) (*verdict, error) {
	select {
	case <-q.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if q.err == errAskerLeft { //nolint:errorlint // the one shared value
		return a.ask(ctx, q.user)
	}
	return q.verdict, q.err
}

// errAskerLeft is the answer to callers that shared the question of one that did not
// wait for it.
var errAskerLeft = fmt.Errorf("reading denylist: %w", context.Canceled)

// askAlone asks in the caller's goroutine, under its context.
func (a *asker) askAlone(ctx context.Context, q *inquiry) {
	// A panic of the store must not leave the others waiting.
	defer a.release()
	defer a.settle(q)
	q.err = errUnanswered
	asked := a.denylist.clock()
	answers, err := a.denylist.question(ctx, q.user)
	q.verdict, q.err = a.denylist.answered(q, answers, 0, asked, err)
	if q.err != nil && ctx.Err() != nil {
		q.err = errAskerLeft
	}
}

var errUnanswered = errors.New("reading denylist: the request was abandoned")

// askTogether asks for all of a batch, in a goroutine of its own.
func (a *asker) askTogether(batch []*inquiry) {
	defer a.release()
	defer a.settle(batch...)
	users := make([]storage.UserTag, len(batch))
	for i, q := range batch {
		q.err = errUnanswered
		users[i] = q.user
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.denylist.limits.Load().maxLag)
	defer cancel()
	asked := a.denylist.clock()
	answers, err := a.denylist.question(ctx, users...)
	for i, q := range batch {
		q.verdict, q.err = a.denylist.answered(q, answers, i, asked, err)
	}
}

// settle gives the answers to those who wait.
func (a *asker) settle(all ...*inquiry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range all {
		if a.open[q.user] == q {
			delete(a.open, q.user)
		}
		if q.done != nil {
			close(q.done)
		}
	}
}

// release ends one question, and begins the next with those who wait.
func (a *asker) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.waiting), askedTogether)
	if n == 0 {
		a.underway--
		return
	}
	batch := a.waiting[:n:n]
	a.waiting = a.waiting[n:]
	if len(a.waiting) == 0 {
		a.waiting = nil
	}
	for _, q := range batch {
		q.epoch = a.denylist.epoch(q.user) // it is sent only now
	}
	go background.Safely(a.denylist.recovered, func() { a.askTogether(batch) })()
}

// question asks the store.
func (d *Denylist) question(ctx context.Context, users ...storage.UserTag) ([]storage.UserDenials, error) {
	d.asked.Add(uint64(len(users)))
	answers, err := d.store.Denials(ctx, users)
	if err == nil && len(answers) != len(users) {
		return nil, fmt.Errorf("reading denylist: %d answers about %d users", len(answers), len(users))
	}
	return answers, err
}

// answered makes the verdict of one answer and keeps it.
func (d *Denylist) answered(q *inquiry, answers []storage.UserDenials, i int, asked time.Time, err error) (*verdict, error) {
	if err != nil {
		return nil, err
	}
	if err := answers[i].Err; err != nil {
		return nil, err
	}
	return d.keep(q.user, answers[i], q.epoch, asked), nil
}

// recovered reports a panic that was caught in work of the denylist.
func (d *Denylist) recovered(err error) {
	oauth.ReportRecovered(d.observer, oauth.OutcomeDenylist)(err)
}
