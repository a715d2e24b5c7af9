package pages

// Message is a page that only says something.
type Message struct {
	Title, Text string
	Note        string // what else to know; may be ""
	Detail      string // for developers, such as the description of an OAuth error
	Code        string // the OAuth error
	Address     string // one that came and is not registered
	Option      string // of the configuration, that would change it
	Failed      bool   // it is bad news
	Reference   string // by which the log knows of it; "" for none
	Time        string // of the log line
}

// Message renders a page that only says something.
func (s *Set) Message(t *Texts, p Message) (Page, error) {
	return s.render("message", t, struct {
		frame
		Message

		Title string // both have one
	}{s.frame(t, p.Title), p, p.Title})
}
