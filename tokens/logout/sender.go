// Package logout tells applications that sessions of their people have ended. The store
// keeps what is to be told (storage.Outbox); of all nodes one sends.
//
// Begin reading at Sender. See OpenID Connect Back-Channel Logout §2.
package logout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The times and bounds of a Sender.
const (
	lookEvery    = time.Second      // for what is due
	leaseFor     = 15 * time.Second // that a node is the one that sends
	leaseEvery   = 5 * time.Second  // it is asked for
	logoutLease  = 30 * time.Second // of what was taken
	deliverTime  = 3 * time.Second  // for one attempt
	maxInFlight  = 4                // to one client
	maxWaiting   = 16               // for that; what is more is put off
	putOff       = 5 * time.Second  // at least; and for as long as it has waited, so that a client that is dead is looked at seldom
	maxPutOff    = 5 * time.Minute
	finishWithin = 2 * time.Second // for the store's last word on an attempt
)

// retries are when a logout is tried again after each failure. One more drops it.
var retries = []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute, time.Hour}

// Receiver is a client that is told.
type Receiver struct {
	ClientID string
	URI      string         // its backchannel_logout_uri
	Alg      jose.Algorithm // of its logout tokens
}

// Deliver posts a logout token to a receiver. Its error holds no token.
type Deliver func(ctx context.Context, to Receiver, token string) error

// Config says what a Sender is made of.
type Config struct {
	Issuer    string
	Outbox    storage.Outbox
	Node      storage.NodeMark
	Attempt   func() storage.Attempt
	Wake      <-chan struct{} // says that there is something to send
	Receivers map[storage.ClientTag]Receiver
	// Signer returns the key that signs with an algorithm.
	Signer   func(jose.Algorithm) (*jose.PrivateKey, error)
	Deliver  Deliver
	Observer oauth.Observer
	Now      func() time.Time // by which tokens are dated
	Random   func() ([16]byte, error)
}

// Sender sends logouts in the background. Safe for concurrent use.
type Sender struct {
	cfg     Config
	mu      sync.Mutex
	cancel  context.CancelFunc // once it has started
	ended   bool
	running sync.WaitGroup
	lanes   map[storage.ClientTag]*lane
	leased  time.Time // when this node was last made the one that sends; zero where it is not
	asked   time.Time // when it was last asked for
}

// lane is what is on its way to one client.
type lane struct {
	slots chan struct{}
	held  int // running and waiting
}

// NewSender makes a Sender. It does no I/O.
func NewSender(cfg Config) *Sender {
	return &Sender{cfg: cfg, lanes: make(map[storage.ClientTag]*lane)}
}

// Start begins to send. It does not wait.
func (s *Sender) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.running.Go(background.Safely(s.recovered, func() { background.Keep(ctx, s.recovered, s.run) }))
}

// Close ends the work and waits for it. What is under way is due again for whoever is next.
func (s *Sender) Close() {
	s.mu.Lock()
	s.ended = true
	cancel := s.cancel
	s.mu.Unlock()
	if cancel != nil {
		cancel()
		s.running.Wait()
	}
}

func (s *Sender) recovered(err error) {
	s.cfg.Observer.Happened(context.Background(), oauth.Event{Kind: oauth.EventBackgroundRecovered, Outcome: oauth.OutcomeLogouts, Cause: err})
}

func (s *Sender) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		s.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.cfg.Wake:
		}
	}
}

// look sends what is due, if this node is the one that sends. A store that does not answer is
// asked again: its trouble is told elsewhere.
func (s *Sender) look(ctx context.Context) {
	if !s.sends(ctx) {
		return
	}
	attempt := s.cfg.Attempt()
	taken, err := s.cfg.Outbox.TakeLogouts(ctx, storage.TakeLogouts{Lease: logoutLease, Attempt: attempt})
	for range taken.Dropped {
		s.tell(ctx, storage.Logout{}, oauth.OutcomeDropped, errors.New("telling a logout: it has waited for a day"))
	}
	_ = err // what was taken beside it is sent; the rest is due again when its lease is over
	for _, l := range taken.Logouts {
		s.dispatch(ctx, l, attempt)
	}
}

// sends reports whether this node is the one that sends.
func (s *Sender) sends(ctx context.Context) bool {
	now := time.Now()
	if now.Sub(s.asked) >= leaseEvery {
		s.asked = now
		mine, err := s.cfg.Outbox.LeaseSender(ctx, s.cfg.Node, leaseFor)
		switch {
		case err != nil:
		case mine:
			s.leased = now
		default:
			s.leased = time.Time{}
		}
	}
	return !s.leased.IsZero() && now.Sub(s.leased) < leaseFor
}

// dispatch sends one beside the others, or puts it off: a client that is slow holds up nobody else.
func (s *Sender) dispatch(ctx context.Context, l storage.Logout, attempt storage.Attempt) {
	if _, known := s.cfg.Receivers[l.Client]; !known {
		// Another node knows it, while a new configuration comes to one after the other; or it
		// asks for it no more, and this is dropped when it has waited for a day.
		s.done(l, attempt, s.putOff(l), false)
		return
	}
	s.mu.Lock()
	way := s.lanes[l.Client]
	if way == nil {
		way = &lane{slots: make(chan struct{}, maxInFlight)}
		s.lanes[l.Client] = way
	}
	busy := way.held >= maxWaiting
	if !busy {
		way.held++
	}
	s.mu.Unlock()
	if busy {
		s.done(l, attempt, s.putOff(l), false)
		return
	}
	s.running.Go(background.Safely(s.recovered, func() {
		defer func() {
			s.mu.Lock()
			way.held--
			s.mu.Unlock()
		}()
		select {
		case way.slots <- struct{}{}:
			defer func() { <-way.slots }()
			s.send(ctx, l, attempt)
		case <-ctx.Done():
			s.done(l, attempt, 0, false)
		}
	}))
}

// putOff is for how long one is put off that nobody has tried to send.
func (s *Sender) putOff(l storage.Logout) time.Duration {
	return min(max(putOff, s.cfg.Now().Sub(l.Since)), maxPutOff)
}

// send tries once, with a token of its own.
func (s *Sender) send(ctx context.Context, l storage.Logout, attempt storage.Attempt) {
	err := s.deliver(ctx, l)
	switch {
	case err == nil:
		s.tell(ctx, l, oauth.OutcomeOK, nil)
		s.done(l, attempt, -1, true)
	case ctx.Err() != nil: // the gateway ends, and the client is not to blame
		s.done(l, attempt, 0, false)
	case l.Tries >= len(retries):
		s.tell(ctx, l, oauth.OutcomeDropped, err)
		s.done(l, attempt, -1, true)
	default:
		s.tell(ctx, l, oauth.OutcomeFailed, err)
		s.done(l, attempt, retries[l.Tries], true)
	}
}

func (s *Sender) deliver(ctx context.Context, l storage.Logout) error {
	to := s.cfg.Receivers[l.Client]
	token, err := s.token(to, l)
	if err != nil {
		return fmt.Errorf("making logout token: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTime)
	defer cancel()
	return s.cfg.Deliver(ctx, to, token)
}

// done says what became of one. That has to reach the store while the gateway ends, too.
func (s *Sender) done(l storage.Logout, attempt storage.Attempt, after time.Duration, tried bool) {
	ctx, cancel := context.WithTimeout(context.Background(), finishWithin)
	defer cancel()
	// A failure leaves it leased: it is told once more, which changes nothing there.
	_ = s.cfg.Outbox.DoneLogout(ctx, storage.DoneLogout{
		User: l.User, Root: l.Root, Client: l.Client, Attempt: attempt, After: after, Tried: tried,
	})
}

func (s *Sender) tell(ctx context.Context, l storage.Logout, outcome oauth.Outcome, cause error) {
	s.cfg.Observer.Happened(ctx, oauth.Event{
		Kind: oauth.EventLogoutSent, Outcome: outcome, Client: s.cfg.Receivers[l.Client].ClientID, Subject: l.Subject, User: l.User, Cause: cause,
	})
}
