package pages

// Activate is the page that asks for the code that a device shows.
type Activate struct {
	Action, Ticket, Person string
	UserCode               string // prefilled
	Problem                string // "" at first
}

// Activate renders the page that asks for the code that a device shows.
func (s *Set) Activate(t *Texts, p Activate) (Page, error) {
	return s.render("activate", t, struct {
		frame
		Activate
	}{s.frame(t, t.ActivateTitle), p})
}

// Device is the page that asks whether a device may have access.
type Device struct {
	Action, Ticket, Client, Person string
	UserCode                       string // as the device shows it
	Access                         []string
}

// Device renders the page that asks whether a device may have access.
func (s *Set) Device(t *Texts, p Device) (Page, error) {
	return s.render("device", t, struct {
		frame
		Device
	}{s.frame(t, t.DeviceTitle), p})
}
