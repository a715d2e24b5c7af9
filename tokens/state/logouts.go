package state

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// tellsClients reports whether some client is to be told of sign-outs.
func (s *State) tellsClients() bool {
	set := s.settings.Load()
	return set != nil && set.TellsClients
}

// Expectation is what the store knows, before it, of an end that may have applications told: so
// nobody is forgotten, whatever becomes of this node. Ended says what became of that end.
type Expectation struct {
	state *State
	user  storage.UserTag
	err   error // the store has not heard
}

// ExpectLogouts tells the store of an end to come. Where that fails the end takes place all the
// same, since nobody may stay signed in because nobody can be told, and the store hears of it later.
func (s *State) ExpectLogouts(ctx context.Context, user storage.UserTag) Expectation {
	e := Expectation{state: s, user: user}
	if s.tellsClients() {
		e.err = s.Store.ExpectLogouts(ctx, storage.ExpectRequest{User: user})
	}
	return e
}

// expect is ExpectLogouts for an end, if it is one that tells.
func (s *State) expect(ctx context.Context, r *storage.EndRequest) Expectation {
	if r.Tell = r.Tell && s.tellsClients(); r.Tell || r.Scope == storage.EndSession || r.Scope == storage.EndUser || r.Scope == storage.DisableUser {
		return s.ExpectLogouts(ctx, r.User)
	}
	return Expectation{state: s, user: r.User}
}

const (
	writtenTime = 5 * time.Second // how long the store may take to hear that there are logouts
	unheardWait = time.Second     // until it is told again of what it had not heard; twice as long each time
	unheardMost = time.Minute
	maxUnheard  = 4096 // ends of which it is told again; of more only what a node reads by itself is found
)

var errTooManyLogouts = errors.New("telling a logout: the person has more of them waiting than are kept")

// Ended sees to it that logouts which the end has written are sent at once, in the background.
// err is the end's own: then it may have written some.
func (e Expectation) Ended(ctx context.Context, written, dropped int, err error) {
	s := e.state
	for range dropped {
		s.observer.Happened(ctx, oauth.Event{Kind: oauth.EventLogoutSent, Outcome: oauth.OutcomeDropped, User: e.user, Cause: errTooManyLogouts})
	}
	if written == 0 && (e.err == nil || err == nil) {
		return
	}
	go background.Safely(s.recovered(oauth.OutcomeLogouts), func() {
		ctx := context.WithoutCancel(ctx)
		// Where this fails they are found later, if they were expected.
		if s.written(ctx, e.user) == nil || e.err == nil {
			return
		}
		select {
		case s.unheard <- struct{}{}:
			defer func() { <-s.unheard }()
			s.writtenLater(ctx, e.user)
		default:
		}
	})()
}

// writtenLater tells the store until it hears, for as long as a logout waits.
func (s *State) writtenLater(ctx context.Context, user storage.UserTag) {
	ctx, cancel := context.WithTimeout(ctx, storage.KeepLogout)
	defer cancel()
	for wait := unheardWait; ; wait = min(2*wait, unheardMost) {
		select {
		case <-s.closing:
			return
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if s.written(ctx, user) == nil {
			return
		}
	}
}

// written tells the store that there are logouts, and who sends them.
func (s *State) written(ctx context.Context, user storage.UserTag) error {
	ctx, cancel := context.WithTimeout(ctx, writtenTime)
	defer cancel()
	err := s.Store.ExpectLogouts(ctx, storage.ExpectRequest{User: user, Written: true})
	select {
	case s.told <- struct{}{}:
	default:
	}
	return err
}

// Told says when there are logouts to send. One of those who listen hears it.
func (s *State) Told() <-chan struct{} { return s.told }

// Node is the mark of this process among those that share the store.
func (s *State) Node() storage.NodeMark { return s.node }
