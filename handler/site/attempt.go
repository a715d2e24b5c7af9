package site

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// An attempt is one sign-in that is under way. Where it comes back to rides in the state,
// sealed; a cookie of the browser that began it seals the PKCE verifier, so that a code of
// somebody else's sign-in is of no use here.

const (
	// attemptLifetime is how long a person may take.
	attemptLifetime = 10 * time.Minute
	// maxAttempts is how many are under way in one browser at most: each is a cookie.
	maxAttempts = 5

	useState   = "state"
	usePending = "pending"
)

// state is what comes back with the code.
type state struct {
	ID    []byte `json:"i"` // of the attempt
	At    int64  `json:"t"` // Unix seconds
	To    string `json:"p"`
	Rule  string `json:"r,omitempty"`
	Keep  bool   `json:"k,omitempty"` // the browser has kept more of the address
	Close bool   `json:"c,omitempty"` // the tab was opened to sign in
	Again bool   `json:"g,omitempty"` // it was begun again by itself: not once more
}

// expired reports whether the attempt has taken too long.
func (st *state) expired(now time.Time) bool {
	age := now.Sub(time.Unix(st.At, 0))
	return age >= attemptLifetime || age < -time.Minute
}

func (s *base) sealState(st state) string {
	b, err := json.Marshal(st)
	if err != nil { // no such type can fail
		return ""
	}
	return s.cfg.Issuer.Seal(s.cfg.Origin, useState, b)
}

func (s *base) openState(text string) (st state, ok bool) {
	b, ok := s.cfg.Issuer.Open(s.cfg.Origin, useState, text)
	if !ok || json.Unmarshal(b, &st) != nil || len(st.ID) != idSize {
		return state{}, false
	}
	return st, true
}

const (
	idSize      = 16
	secretSize  = 32
	pendingSize = idSize + secretSize + 8
)

// attempt is what the cookie seals.
type attempt struct {
	id     [idSize]byte
	secret [secretSize]byte // of which the verifier is made
	at     time.Time
}

// verifier is the code verifier. See RFC 7636 §4.1.
func (a *attempt) verifier() string { return base64.RawURLEncoding.EncodeToString(a.secret[:]) }

func (a *attempt) challenge() string {
	sum := sha256.Sum256([]byte(a.verifier()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// beginAttempt gives the browser the cookie of a new attempt, and takes the oldest ones where
// they become too many.
func (s *base) beginAttempt(w http.ResponseWriter, r *http.Request) *attempt {
	a := &attempt{at: s.cfg.Clock()}
	_, _ = rand.Read(a.id[:]) // never fails
	_, _ = rand.Read(a.secret[:])
	b := make([]byte, 0, pendingSize)
	b = append(append(b, a.id[:]...), a.secret[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(a.at.Unix()))
	under := s.attempts(r)
	slices.SortFunc(under, func(x, y *attempt) int { return y.at.Compare(x.at) })
	for i, old := range under {
		if i >= maxAttempts-1 {
			s.setCookie(w, s.pendingName(old), "", -1)
		}
	}
	s.setCookie(w, s.pendingName(a), s.cfg.Issuer.Seal(s.cfg.Origin, usePending, b), int(attemptLifetime/time.Second))
	return a
}

// pendingName is the name of the cookie of an attempt.
func (s *base) pendingName(a *attempt) string {
	return s.cookies.pending + base64.RawURLEncoding.EncodeToString(a.id[:6])
}

// attempts are those of this origin that are under way in a browser.
func (s *base) attempts(r *http.Request) []*attempt {
	var under []*attempt
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, s.cookies.pending) {
			continue
		}
		b, ok := s.cfg.Issuer.Open(s.cfg.Origin, usePending, c.Value)
		if !ok || len(b) != pendingSize {
			continue
		}
		a := &attempt{id: [idSize]byte(b[:idSize]), secret: [secretSize]byte(b[idSize : idSize+secretSize])}
		a.at = time.Unix(int64(binary.BigEndian.Uint64(b[idSize+secretSize:])), 0)
		if c.Name == s.pendingName(a) {
			under = append(under, a)
		}
	}
	return under
}

// attemptOf returns the attempt of a state, nil where this browser did not begin it, or too
// long ago.
func (s *base) attemptOf(r *http.Request, st *state) *attempt {
	if st.expired(s.cfg.Clock()) {
		return nil
	}
	for _, a := range s.attempts(r) {
		if string(a.id[:]) == string(st.ID) {
			return a
		}
	}
	return nil
}
