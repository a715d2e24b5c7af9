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

// expectLogouts tells the store of an end that may have applications told, before it: so
// nobody is forgotten, whatever becomes of this node.
func (s *State) expectLogouts(ctx context.Context, r *storage.EndRequest) error {
	if !s.tellsClients() {
		r.Tell = false
		return nil
	}
	if r.Scope == storage.EndSession || r.Scope == storage.EndUser || r.Scope == storage.DisableUser || r.Tell {
		return s.Store.ExpectLogouts(ctx, storage.ExpectRequest{User: r.User})
	}
	return nil
}

// writtenTime is how long the store may take to hear that there are logouts.
const writtenTime = 5 * time.Second

var errTooManyLogouts = errors.New("telling a logout: the person has more of them waiting than are kept")

// ToldOf sees to it that logouts which an end has written are sent at once, in the background.
func (s *State) ToldOf(ctx context.Context, user storage.UserTag, written, dropped int) {
	for range dropped {
		s.observer.Happened(ctx, oauth.Event{Kind: oauth.EventLogoutSent, Outcome: oauth.OutcomeDropped, User: user, Cause: errTooManyLogouts})
	}
	if written == 0 {
		return
	}
	go background.Safely(s.recovered(oauth.OutcomeLogouts), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writtenTime)
		defer cancel()
		// Where this fails they are found later, since they were expected.
		_ = s.Store.ExpectLogouts(ctx, storage.ExpectRequest{User: user, Written: true})
		select {
		case s.told <- struct{}{}:
		default:
		}
	})()
}

// Told says when there are logouts to send. One of those who listen hears it.
func (s *State) Told() <-chan struct{} { return s.told }

// Node is the mark of this process among those that share the store.
func (s *State) Node() storage.NodeMark { return s.node }
