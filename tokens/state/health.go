package state

import (
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Health is what the background work has last found out about a gateway.
type Health struct {
	Trouble   oauth.Trouble
	Cause     error         // of the trouble, for the operator only
	Since     time.Time     // when the trouble, or its absence, began
	Checked   time.Time     // when the store was last asked
	ClockSkew time.Duration // how far this node's clock is ahead of the store's
	Born      time.Time     // when the store was first opened; zero while that is not known
	Failovers uint64        // as Beat.Failovers
}

// healthStale is how old the last check may be. Older than that, the background
// work is stuck, or the process was suspended and has just been resumed.
const healthStale = 15 * time.Second

var (
	errNotOpened = errors.New("the store has not been opened yet")
	errNoBeat    = errors.New("the store has not been asked for a while: this process was suspended or is overloaded")
)

// Health returns what is known. It asks nobody, so calling it often costs nothing.
func (s *State) Health() Health {
	h := *s.health.Load()
	if now := s.clock(); h.Trouble == "" && now.Sub(h.Checked) > healthStale {
		h.Trouble, h.Cause, h.Since = oauth.TroubleStore, errNoBeat, now
	}
	return h
}

// troubleOf says what an error of the store means for this node.
func troubleOf(err error) oauth.Trouble {
	var other *storage.OtherIssuerError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, storage.ErrWrongSecret):
		return oauth.TroubleSecret
	case errors.As(err, &other):
		return oauth.TroubleIssuer
	}
	return oauth.TroubleStore
}
