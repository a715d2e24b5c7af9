package pages

// Account is the page that shows a person where they are signed in.
type Account struct {
	Action, Ticket, Person string
	Done                   string // what the last form has done; "" at first
	Problem                string // why it did nothing; "" at first
	Applications           []Application
	Keys                   string // the address of the page that makes app keys; "" for none
}

// Application is one application that a person is signed in with.
type Application struct {
	ID              string // names it in the form
	Name, Device    string
	From            string // an address; "" when unknown
	Since, LastUsed string // to the minute, UTC
	Here            bool   // it was signed in from this browser
}

// Account renders the page that shows a person where they are signed in.
func (s *Set) Account(t *Texts, p Account) (Page, error) {
	return s.render("account", t, struct {
		frame
		Account
	}{s.frame(t, t.AccountTitle), p})
}
