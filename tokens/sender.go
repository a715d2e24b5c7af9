package tokens

// senderFits refuses a bound refresh token in other hands. It is asked before the
// store is, so that a wrong key neither rotates nor ends anything.
func (t refreshToken) senderFits(sender Confirmation) error {
	switch {
	case !t.bound.Key.IsZero() && sender.Key.IsZero():
		return errProofMissing
	case !t.bound.Key.IsZero() && t.bound.Key != sender.Key,
		!t.bound.Certificate.IsZero() && t.bound.Certificate != sender.Certificate:
		return refuse(InvalidGrant, ReasonBinding, deadRefreshToken)
	}
	return nil
}
