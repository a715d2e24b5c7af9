package handler

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// maxRegistration is the most that a registration may hold, in bytes.
const maxRegistration = 16 << 10

// register is the client registration endpoint. It keeps nothing. See RFC 7591 §3.
func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	if s.RegistrationToken != "" {
		if err := s.mayRegister(r); err != nil {
			return err
		}
	}
	if !s.Limits.registrations.take(login.Place(s.ClientIP(r)), s.Clock()) {
		return errTooManyRegistrations
	}
	m, err := readBody(r, false, readRegistration)
	if err != nil {
		return err
	}
	registration, err := s.Issuer.Register(r.Context(), m)
	if err != nil {
		return err
	}
	s.Observer.Happened(r.Context(), oauth.Event{Kind: oauth.EventClientRegistered, Outcome: oauth.OutcomeOK, Client: registration.ID})
	wire.WriteJSON(w, http.StatusCreated, registration)
	return nil
}

// mayRegister checks the registration token. Who guesses it is slowed down, by address.
func (s *Server) mayRegister(r *http.Request) error {
	token, _, err := wire.PresentedToken(r)
	if err != nil {
		return err
	}
	right, err := s.Limits.registrars.BeginAt(s.ClientIP(r), s.Clock())
	if wait, ok := errors.AsType[*login.WaitError](err); ok {
		return &oauth.Error{
			Code: oauth.TooManyRequests, Reason: oauth.ReasonRateLimited, RetryAfter: wait.After,
			Description: "Too many failed attempts from this address. Try again shortly.",
		}
	}
	if !equalTexts(token, s.RegistrationToken) {
		return oauth.BadToken(oauth.ReasonBadSecret)
	}
	right()
	return nil
}

// failRegistration answers who registers: with a challenge where a token is missing.
func (s *Server) failRegistration(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, wire.ErrNoToken) || oauth.AsError(err).Code == oauth.InvalidToken {
		s.failBearer(w, r, err)
		return
	}
	s.failJSON(w, r, err)
}

// equalTexts compares in constant time, whatever the lengths.
func equalTexts(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

var (
	errRegistrationSize = oauth.Refuse(oauth.InvalidClientMetadata, oauth.ReasonTooLarge, "The registration is larger than 16 KiB.")
	errRegistration     = oauth.Refuse(oauth.InvalidClientMetadata, oauth.ReasonMalformed, "The registration is not a JSON object (RFC 7591), sent as application/json.")
)

// readRegistration reads the body of a registration. A member of another type than its
// own is an error, and null is as good as no member.
func readRegistration(body []byte) (m clients.Registering, err error) {
	if len(body) > maxRegistration {
		return m, errRegistrationSize
	}
	if strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n") == "null" {
		return m, errRegistration
	}
	if err = json.Unmarshal(body, &m); err == nil {
		return m, nil
	}
	if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && bad.Field != "" {
		return m, oauth.Refuse(oauth.InvalidClientMetadata, oauth.ReasonMalformed, "The member "+bad.Field+" has the wrong type.")
	}
	return m, errRegistration
}
