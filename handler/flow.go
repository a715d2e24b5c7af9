package handler

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
)

// flow is one way of a browser to a provider and back. It rides in a cookie of its
// own, sealed: its id is the state that the provider sends back. So several tabs do
// not disturb each other, and only the browser that left can come back.
type flow struct {
	Login     string                `json:"l"` // its name
	Departure login.Departure       `json:"d"`
	Auth      *tokens.Authorization `json:"a,omitempty"`
	Page      *ownPage              `json:"p,omitempty"` // where Auth is nil
	Seen      bool                  `json:"w,omitempty"` // a page of ours has named the client before
	Again     int                   `json:"g,omitempty"` // how often it was begun again
	Done      bool                  `json:"e,omitempty"` // the browser has come back, and the code is redeemed
}

const (
	// flowLifetime is how long a person may take at the provider: a second factor is slow.
	flowLifetime = 30 * time.Minute
	// maxFlows and maxFlowBytes bound the cookies of a browser: servers refuse a long header.
	maxFlows     = 8
	maxFlowBytes = 6 << 10
	// maxFlowCookie is what every browser takes as one cookie, with its name and attributes.
	maxFlowCookie = 3900
	// flowNameLen is how much of the state stands in the name of its cookie.
	flowNameLen = 8
	// maxAgain is how often a flow that was spent begins again by itself.
	maxAgain = 1
)

var errFlowLong = errors.New("sealing flow: the authorization request is too long to be taken along to a provider")

func (f *flow) request() loginRequest { return loginRequest{auth: f.Auth, page: f.Page} }

// id is the state as a fixed number of bytes, for what is remembered of it.
func (f *flow) id() [16]byte {
	return browserIDOf(f.Departure.State)
}

func (f *flow) expired(now time.Time) bool { return now.Sub(f.Departure.At) > flowLifetime }

// keepFlow gives the browser the cookie of a flow, and takes the oldest ones where
// they become too many.
func (s *Server) keepFlow(w http.ResponseWriter, r *http.Request, f *flow) error {
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("sealing flow: %w", err)
	}
	name := s.flowName(f.Departure.State)
	value := base64.RawURLEncoding.EncodeToString(s.Secrets().Seal(secrets.PurposeSealPage, b, s.sealedFor(ticketFlow)))
	if len(name)+len(value) > maxFlowCookie {
		return errFlowLong
	}
	s.dropFlows(w, r, name, len(name)+len(value))
	s.keepCookie(w, name, value, int(2*flowLifetime.Seconds())) // who takes longer begins again, with the same request
	return nil
}

// flowOf returns the flow of a state that came back, nil where this browser has none.
func (s *Server) flowOf(r *http.Request, state string) *flow {
	if len(state) < flowNameLen {
		return nil
	}
	for _, c := range r.CookiesNamed(s.flowName(state)) {
		if f := s.openFlow(c.Value); f != nil && f.Departure.State == state {
			return f
		}
	}
	return nil
}

// openFlow reads a cookie, nil where it is none of ours.
func (s *Server) openFlow(value string) *flow {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil {
		return nil
	}
	b, _, err := s.Secrets().Open(secrets.PurposeSealPage, sealed, s.sealedFor(ticketFlow))
	if err != nil {
		return nil
	}
	f := new(flow)
	if json.Unmarshal(b, f) != nil {
		return nil
	}
	return f
}

// flowName is the name of the cookie of a flow.
func (s *Server) flowName(state string) string { return s.cookies.flow + state[:flowNameLen] }

// dropFlows takes the cookies of flows that are over, and the oldest ones beyond the
// bounds, once one of this size comes.
func (s *Server) dropFlows(w http.ResponseWriter, r *http.Request, coming string, size int) {
	type kept struct {
		name string
		size int
		at   time.Time
	}
	var flows []kept
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, s.cookies.flow) || c.Name == coming {
			continue
		}
		f := s.openFlow(c.Value)
		if f == nil || f.expired(s.Clock()) {
			s.dropCookie(w, c.Name)
			continue
		}
		flows = append(flows, kept{c.Name, len(c.Name) + len(c.Value), f.Departure.At})
		size += len(c.Name) + len(c.Value)
	}
	slices.SortFunc(flows, func(a, b kept) int { return a.at.Compare(b.at) })
	for len(flows) > 0 && (len(flows) >= maxFlows || size > maxFlowBytes) {
		s.dropCookie(w, flows[0].name)
		size -= flows[0].size
		flows = flows[1:]
	}
}
