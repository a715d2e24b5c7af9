package pages

// AppKeys is the page where a person makes app keys for sites.
type AppKeys struct {
	Action, Ticket string
	Account        string // the address of the account page
	Sites          []Option
	Name           string // prefilled
	Key            string // that was made just now, shown once; "" for none
	Problem        string // "" at first
}

// AppKeys renders the page where a person makes app keys.
func (s *Set) AppKeys(t *Texts, p AppKeys) (Page, error) {
	return s.render("appkeys", t, struct {
		frame
		AppKeys
	}{s.frame(t, t.KeysTitle), p})
}
