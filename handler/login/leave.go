package login

// Leaver is an Elsewhere at which somebody can be signed out who signs out here. Its methods
// are safe for concurrent use, and wait for no network.
type Leaver interface {
	Elsewhere
	// Leaves reports whether people who sign out here are signed out there.
	Leaves() bool
	// LeaveURL returns where to send the browser for that; "" where they are not, or
	// where it is not known just now. See OpenID Connect RP-Initiated Logout §2.
	LeaveURL(l Leave) string
}

// Leave is what a browser takes along to the sign-out of a provider.
type Leave struct {
	IDToken  string // that the provider gave at the login; required
	ReturnTo string // our address, as registered there
	State    string // it may come back with it
}
