package pages

// Consent is the page that asks whether an application may go on.
type Consent struct {
	Action, Ticket, Client, Person string
	Destination                    string // host or scheme that the answer goes to
	Access                         []string
	Stranger                       *Stranger // in the place of Client; nil for an application that is configured
	Problem                        string    // "" at first
}

// Consent renders the consent page.
func (s *Set) Consent(t *Texts, p Consent) (Page, error) {
	return s.render("consent", t, struct {
		frame
		Consent
	}{s.frame(t, t.ConsentTitle), p})
}
