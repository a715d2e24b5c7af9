package handler

import (
	"maps"
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
	if wait := s.Limits.scans.spent(client.ID, s.Clock()); wait > 0 {
		return &tokens.Error{Code: tokens.TooManyRequests, Reason: tokens.ReasonRateLimited, RetryAfter: wait}
	}
	res, err := s.Issuer.Introspect(r.Context(), client, token)
	if err != nil {
		return err
	}
	if !res.Active {
		s.Limits.scans.miss(client.ID, s.Clock())
	}
	writeJSON(w, http.StatusOK, res)
	return nil
}

// A scanBudget limits how many tokens that are none a client may try in a
// minute (RFC 7662 §4, token scanning). It holds clients that were configured.
type scanBudget struct {
	mu      sync.Mutex
	clients map[string]scans
}

// scans are the misses of one client since the begin of a minute.
type scans struct {
	since  time.Time
	misses int
}

// over reports whether the minute is over, or the clock was set back.
func (c scans) over(now time.Time) bool {
	age := now.Sub(c.since)
	return age >= scanWindow || age < 0
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
	if c := b.clients[client]; c.misses >= scanMisses && !c.over(now) {
		return scanWindow - now.Sub(c.since)
	}
	return 0
}

// miss counts a token that was none.
func (b *scanBudget) miss(client string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.clients[client]
	if c.over(now) {
		maps.DeleteFunc(b.clients, func(_ string, c scans) bool { return c.over(now) }) // of those taken out, too
		c = scans{since: now}
	}
	c.misses++
	b.clients[client] = c
}
