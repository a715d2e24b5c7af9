package handler

import (
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// introspect is the introspection endpoint, for confidential clients.
// See RFC 7662 §2.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r)
	if err != nil {
		return err
	}
	client, err := s.authenticate(w, r, p)
	if err != nil {
		return err
	}
	token := p.get("token")
	if token == "" {
		return malformed("token is missing.")
	}
	if wait := s.scans.spent(client.ID, s.Clock()); wait > 0 {
		return &tokens.Error{Code: tokens.TooManyRequests, Reason: tokens.ReasonRateLimited, RetryAfter: wait}
	}
	res, err := s.Issuer.Introspect(r.Context(), client, token)
	if err != nil {
		return err
	}
	if !res.Active {
		s.scans.miss(client.ID, s.Clock())
	}
	writeJSON(w, http.StatusOK, res)
	return nil
}

// A scanBudget limits how many tokens that are none a client may try in a
// minute (RFC 7662 §4, token scanning). Clients are configured, so the map is bounded.
type scanBudget struct {
	mu      sync.Mutex
	clients map[string]scans
}

// scans are the misses of one client since the begin of a minute.
type scans struct {
	since  time.Time
	misses int
}

const (
	scanWindow = time.Minute
	scanMisses = 1000 // a resource server that sees this many dead tokens a minute is being flooded
)

func newScanBudget() *scanBudget { return &scanBudget{clients: make(map[string]scans)} }

// spent returns how long a client has to wait, 0 for not at all.
func (b *scanBudget) spent(client string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.clients[client]; c.misses >= scanMisses {
		return max(0, scanWindow-now.Sub(c.since))
	}
	return 0
}

// miss counts a token that was none.
func (b *scanBudget) miss(client string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.clients[client]
	if now.Sub(c.since) >= scanWindow {
		c = scans{since: now}
	}
	c.misses++
	b.clients[client] = c
}
