package logout

import (
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The form of logout tokens. See OpenID Connect Back-Channel Logout §2.4.
const (
	tokenType = "logout+jwt"
	tokenLife = 2 * time.Minute
	eventName = "http://schemas.openid.net/event/backchannel-logout"
)

// claims are those of a logout token. It has no nonce, so that it cannot be taken for an ID token.
type claims struct {
	Issuer   string              `json:"iss"`
	Audience string              `json:"aud"`
	Subject  string              `json:"sub,omitempty"`
	Session  string              `json:"sid"`
	IssuedAt int64               `json:"iat"`
	Expiry   int64               `json:"exp"`
	ID       string              `json:"jti"`
	Events   map[string]struct{} `json:"events"`
}

// token makes a logout token. Its sid is that of the ID tokens of the session.
func (s *Sender) token(to Receiver, l storage.Logout) (string, error) {
	id, err := s.cfg.Random()
	if err != nil {
		return "", err
	}
	key, err := s.cfg.Signer(to.Alg)
	if err != nil {
		return "", err
	}
	now := s.cfg.Now()
	payload, err := json.Marshal(claims{
		Issuer: s.cfg.Issuer, Audience: to.ClientID, Subject: l.Subject, Session: l.Root.String(),
		IssuedAt: now.Unix(), Expiry: now.Add(tokenLife).Unix(), ID: storage.Encode(id[:]),
		Events: map[string]struct{}{eventName: {}},
	})
	if err != nil {
		return "", err
	}
	return jose.Sign(key, tokenType, payload)
}
