package pages

import "fmt"

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

// Caller says to whom the answer goes.
func (s Stranger) Caller(t *Texts) string {
	switch {
	case s.Here && s.Destination != "":
		return fmt.Sprintf(t.StrangerHereBy, s.Destination)
	case s.Here:
		return t.StrangerHere
	}
	return s.Destination
}
