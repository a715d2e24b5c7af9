package pages

// Stranger is what is said of an application that nobody registered, in the place of
// its name: first where the answer goes. Everything here but the name is not the
// application's to choose.
type Stranger struct {
	Here        bool   // to a program on this device, which may be any
	Destination string // the host, or the private scheme; "" for an address of this device
	Host        string // that publishes what is known of the application; "" for nobody
	Name        string // that the application has given itself, cut; may be ""
	API         string // what it will have access to
}

// The words of the page.
const (
	strangerHere    = "an app on this computer"
	strangerGoesTo  = "The access goes to"
	strangerFrom    = "Described by"
	strangerCalls   = "It calls itself"
	strangerAPI     = "Access to"
	strangerWarning = "Nobody has checked this application. Continue only if you started this yourself, just now."
)

// Caller says to whom the answer goes.
func (s Stranger) Caller() string {
	switch {
	case s.Here && s.Destination != "":
		return strangerHere + " (" + s.Destination + ")"
	case s.Here:
		return strangerHere
	}
	return s.Destination
}

// The texts, for the template.

// GoesTo stands before Caller.
func (Stranger) GoesTo() string { return strangerGoesTo }

// From stands before Host.
func (Stranger) From() string { return strangerFrom }

// Calls stands before Name.
func (Stranger) Calls() string { return strangerCalls }

// AccessTo stands before API.
func (Stranger) AccessTo() string { return strangerAPI }

// Warning says when not to go on.
func (Stranger) Warning() string { return strangerWarning }
