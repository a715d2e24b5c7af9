package wire

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// The refusals of tokens that are not in the hands they are bound to. They are
// shared: nothing changes them.
var (
	errBound = &oauth.Error{
		Code: oauth.InvalidToken, Reason: oauth.ReasonBinding, Description: "The access token is bound to a key: send it with a DPoP proof.",
	}
	ErrUnbound = &oauth.Error{
		Code: oauth.InvalidToken, Reason: oauth.ReasonBinding, Description: "The access token is not bound to a key.",
	}
	errWrongKey = &oauth.Error{
		Code: oauth.InvalidToken, Reason: oauth.ReasonBinding, Description: "Invalid DPoP key binding",
	}
	errCertificate = &oauth.Error{
		Code: oauth.InvalidToken, Reason: oauth.ReasonBinding, Description: "The access token is bound to a different client certificate than the one of this connection.",
	}
)

// CheckSender makes sure that a token comes from whom it is bound to, and as
// what it is: one that is bound to a key is no Bearer token, and one that is not
// gains nothing by a proof. dpop says that the request presents it by the DPoP
// scheme. prove checks the proof of the request and returns its key; nil where
// no proofs are taken. See RFC 9449 §7.1 and §7.2, RFC 8705 §3.
func CheckSender(r *http.Request, binding *jose.Confirmation, dpop bool, prove func() (jose.Thumbprint, error)) error {
	var bound jose.Confirmation
	if binding != nil {
		bound = *binding
	}
	switch {
	case !bound.Certificate.IsZero() && bound.Certificate != CertificateThumbprint(r):
		return errCertificate
	case bound.Key.IsZero() && dpop:
		return ErrUnbound
	case bound.Key.IsZero():
		return nil
	case !dpop || prove == nil:
		return errBound
	}
	key, err := prove()
	if err != nil {
		return err
	}
	if key != bound.Key {
		return errWrongKey
	}
	return nil
}

// AboutSender reports whether a refusal is one that a DPoP client has to fix,
// however the token was presented.
func AboutSender(e *oauth.Error) bool {
	return e.Code == oauth.InvalidDPoPProof || e.Code == oauth.UseDPoPNonce || e == errBound || e == ErrUnbound || e == errWrongKey
}
