package tokens

import (
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// senderFits refuses a bound refresh token in other hands. It is asked before the
// store is, so that a wrong key neither rotates nor ends anything.
func (t refreshToken) senderFits(sender jose.Confirmation) error {
	switch {
	case !t.bound.Key.IsZero() && sender.Key.IsZero():
		return clients.ErrProofMissing
	case !t.bound.Key.IsZero() && t.bound.Key != sender.Key,
		!t.bound.Certificate.IsZero() && t.bound.Certificate != sender.Certificate:
		return oauth.Refuse(oauth.InvalidGrant, oauth.ReasonBinding, deadRefreshToken)
	}
	return nil
}
