package handler

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// told is an error that the observer has heard of already: the core reports refused
// token requests and clients that do not authenticate itself.
type told struct{ error }

// Unwrap returns the error.
func (t told) Unwrap() error { return t.error }

// clientError is the error of a request whose client is known.
type clientError struct {
	error

	client string
}

// Unwrap returns the error.
func (o clientError) Unwrap() error { return o.error }

// report tells the observer of a fault or a refusal, once.
func (s *Server) report(ctx context.Context, endpoint string, err error) {
	e := wire.RefusalOf(err)
	_, done := errors.AsType[told](err)
	switch {
	case !isTold(ctx, err, e), done:
	case e.Code != oauth.TemporarilyUnavailable, e.Reason == oauth.ReasonClientDocument: // a host of somebody else's
		s.refused(ctx, endpoint, err, e)
	case endpoint != "token": // whose refusals the core reports, these too
		s.Observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.Outcome(endpoint), Cause: e.Cause})
	}
}

// isTold reports whether the log has a line of an error, by report or by the core.
func isTold(ctx context.Context, err error, e *oauth.Error) bool {
	if errors.Is(err, wire.ErrNoToken) || ctx.Err() != nil {
		return false // who hangs up, or shows nothing, is no trouble of the store's
	}
	switch e.Code {
	case oauth.TemporarilyUnavailable:
		return e.Cause != nil
	case oauth.TooManyRequests, oauth.UseDPoPNonce, // which are told elsewhere, or ask to come again
		oauth.LoginRequired, oauth.ConsentRequired, oauth.InsufficientUserAuthentication: // what prompt=none asks for
		return false
	default:
		return true
	}
}

// refused tells of a refused request: most are mistakes in how an application is set up.
func (s *Server) refused(ctx context.Context, endpoint string, err error, e *oauth.Error) {
	event := oauth.Event{
		Kind: oauth.EventRequestRefused, Outcome: oauth.Outcome(e.Reason), Endpoint: endpoint, Mismatch: e.Mismatch, Cause: e.Why(),
	}
	if event.Cause == nil {
		event.Cause = err
	}
	if event.Outcome == "" {
		event.Outcome = oauth.Outcome(oauth.ReasonMalformed)
	}
	if of, ok := errors.AsType[clientError](err); ok {
		event.Client = of.client
	}
	s.Observer.Happened(ctx, event)
}

// methodRefused is what is told of a request by a method that its endpoint does not serve.
func methodRefused(r *http.Request, e *endpoint) error {
	return wire.RefusalOf(wire.ErrMethod).With(oauth.Mismatch{Sent: r.Method, Registered: e.methods})
}

// about says whose request an error refuses, where the client_id that came is a registered one.
func (s *Server) about(clientID string, err error) error {
	if _, known := s.Issuer.Configured(clientID); !known {
		return err
	}
	return clientError{err, clientID}
}

// originRefused tells of a page whose browser will not let it read the answer, since
// its origin is not registered: by the client, or where a preflight names none by any.
func (s *Server) originRefused(r *http.Request, client *clients.Client) {
	ctx, endpoint, origin := r.Context(), s.routes[cleanPath(r.URL.Path)].name, r.Header.Get("Origin")
	if origin == s.issuerOrigin {
		return // which needs no leave
	}
	err := oauth.Refuse(oauth.AccessDenied, oauth.ReasonBadOrigin, "The browser does not let the page read the answer: its origin is not registered.")
	if client == nil {
		s.refused(ctx, endpoint, err, err.With(oauth.Mismatch{Sent: oauth.PrintableURI(origin), Registered: s.originList, Option: "origins"}))
		return
	}
	s.refused(ctx, endpoint, clientError{err, client.ID}, err.With(oauth.Mismatch{Sent: oauth.PrintableURI(origin), Registered: client.Origins, Option: "origins"}))
}
