package pages

import "time"

// Account is the page that shows a person where they are signed in, and what they have
// agreed to.
type Account struct {
	Action, Ticket, Person string
	Login                  string    // by which they came
	Since                  time.Time // when they signed in, in this browser
	Done                   string    // what the last form has done; "" at first
	Problem                string    // why it did nothing; "" at first
	Applications           []Application
	Pages                  Pager // of the applications
	Agreements             []Agreement
	AgreementPages         Pager
	Nonce                  string // of the script that writes times
	Keys                   string // the address of the page that makes app keys; "" for none
}

// App is what an application is called.
type App struct {
	Name    string // by the operator, or the host that vouches for it; "" for neither
	Claimed string // by itself, where nobody has registered it, cut; may be ""
	GoesTo  string // where its answers go, of one that nobody has registered; "" where that is not known
}

// Label is what it is called in a text.
func (a App) Label() string {
	if a.Name == "" {
		return "“" + a.Claimed + "”"
	}
	return a.Name
}

// Application is one application that a person is signed in with.
type Application struct {
	App

	ID              string // names it in the form
	Device          string
	From            string // an address; "" when unknown
	Since, LastUsed time.Time
	Here            bool // it was signed in from this browser
}

// Agreement is what one application may do.
type Agreement struct {
	App

	ID               string // names it in the form
	Access           []string
	Agreed, LastUsed time.Time
}

// Pager says which part of a long list a page shows.
type Pager struct {
	Page, Of       int    // from 1
	Previous, Next string // addresses; "" for none
}

// Account renders the page that shows a person where they are signed in.
func (s *Set) Account(t *Texts, p Account) (Page, error) {
	return s.render("account", t, struct {
		frame
		Account
	}{s.frame(t, t.AccountTitle), p})
}
