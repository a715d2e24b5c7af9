package pages

// Option is one login to choose from.
type Option struct {
	Name, Label string
	Selected    bool
}

// Login is the page that asks for a name and a password.
type Login struct {
	Action    string   // where the form goes
	Ticket    string   // the sealed request
	Client    string   // the application's name; "" for a page of our own
	Purpose   string   // what that page is for
	Username  string   // prefilled
	Logins    []Option // with a password
	Providers []Option // somebody else's
	Another   bool     // they want another account than the provider would take by itself
	Refused   *Refused // nil but for who may not come in
	Problem   string   // "" at first
	// WrongPassword marks the fields as invalid.
	WrongPassword bool
	Reference     string // by which the log knows of the problem; "" for none
	Time          string // of the log line
	Nonce         string // of the script that shows the password
}

// Refused is the account of somebody who may not come in.
type Refused struct {
	Account string // as people know it; may be ""
	Subject string // as an operator needs it
	Login   string // the name of the provider where they can take another one; "" for none
}

// Login renders the login page.
func (s *Set) Login(t *Texts, p Login) (Page, error) {
	return s.render("login", t, struct {
		frame
		Login
	}{s.frame(t, t.SignInTitle), p})
}
