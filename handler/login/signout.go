package login

import (
	"context"
	"time"
)

// SignOuts is an Elsewhere whose provider tells of sign-outs there. Its methods are safe for
// concurrent use, and cheap for what is forged.
type SignOuts interface {
	Elsewhere
	// ReadLogout checks a logout token. See OpenID Connect Back-Channel Logout §2.6.
	// Errors: a *FailedError, with FailedForged for a token that is not good, and
	// FailedDown or FailedBusy where it may be told again.
	ReadLogout(ctx context.Context, token string) (*SignedOut, error)
	// ReadFrontChannel checks what the browser brings from the provider. See OpenID
	// Connect Front-Channel Logout §2. Errors: as ReadLogout.
	ReadFrontChannel(issuer, session string) (*SignedOut, error)
}

// SignedOut is a sign-out at a provider.
type SignedOut struct {
	// Session is the provider's own name of it; "" where the person is signed out of all.
	Session string
	// Subject is the provider's own name of the person; it may be "" beside a Session.
	Subject string
	// ByID says that Subject is the ID of our subjects as well.
	ByID bool
	At   time.Time // by the provider's clock: what was begun since goes on
}
