package pages

// Logout is the page that asks whether to sign out.
type Logout struct {
	Action, Ticket string
	Client, Person string // "" when unknown
	Problem        string // "" at first
}

// Logout renders the page that asks before it signs out.
func (s *Set) Logout(t *Texts, p Logout) (Page, error) {
	return s.render("logout", t, struct {
		frame
		Logout
	}{s.frame(t, t.SignOutTitle), p})
}
