package handler

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// backchannelLogout takes a logout token of a provider. See OpenID Connect Back-Channel
// Logout §2.5 and §2.8.
func (s *Server) backchannelLogout(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	l, err := s.teller(r, "backchannel_logout")
	if err != nil {
		return err
	}
	if len(form["logout_token"]) != 1 {
		return wire.Malformed("logout_token must be given once.")
	}
	out, err := l.ReadLogout(r.Context(), form.Get("logout_token"))
	if err != nil {
		return notSignedOut(err)
	}
	if err := s.endProvided(r, l, out); err != nil {
		return err
	}
	wire.NoStore(w.Header())
	w.WriteHeader(http.StatusOK)
	return nil
}

// frontchannelLogout takes what a frame of the provider's brings: our cookies do not come
// along, and are not needed. It says 200 whatever it finds (F63). See OpenID Connect
// Front-Channel Logout §2.
func (s *Server) frontchannelLogout(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r)
	if err != nil {
		return err
	}
	l, err := s.teller(r, "frontchannel_logout")
	if err != nil {
		return err
	}
	if len(q["iss"]) == 1 && len(q["sid"]) == 1 {
		out, err := l.ReadFrontChannel(q.Get("iss"), q.Get("sid"))
		if err == nil {
			err = s.endProvided(r, l, out)
		} else if err = notSignedOut(err); wire.RefusalOf(err).Code != oauth.TemporarilyUnavailable {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	h := w.Header()
	wire.NoStore(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte("<!DOCTYPE html><title>OK</title>\n"))
	return nil
}

// teller is the login at whose path a sign-out is told.
func (s *Server) teller(r *http.Request, endpoint string) (login.SignOuts, error) {
	name := strings.TrimPrefix(cleanPath(r.URL.Path), s.pathOf(endpoint)+"/")
	for _, l := range s.Logins {
		if told, ok := l.(login.SignOuts); ok && l.Name() == name {
			return told, nil
		}
	}
	return nil, wire.Malformed("The provider of this login tells of no sign-outs.")
}

func (s *Server) endProvided(r *http.Request, l login.Login, out *login.SignedOut) error {
	return s.Issuer.EndProvided(r.Context(), tokens.ProviderLogout{
		Login: l.Name(), Session: out.Session, Subject: out.Subject, ByID: out.ByID, At: out.At,
	})
}

// notSignedOut is the refusal of a sign-out: what may be good is to be told again (F65).
func notSignedOut(err error) error {
	f, ok := errors.AsType[*login.FailedError](err)
	if ok && (f.Failure == login.FailedDown || f.Failure == login.FailedBusy) {
		later := oauth.Unavailable(nil)
		later.RetryAfter = f.After
		return later
	}
	refused := oauth.Refuse(oauth.InvalidRequest, oauth.ReasonBadSignature, "The logout token is not one of this login's provider.")
	refused.Cause = err
	return refused
}
