package pages

import "html/template"

// Field is one parameter of an answer.
type Field struct{ Name, Value string }

// FormPost is the page that posts an answer to the application, or a request
// once more to us. See OAuth 2.0 Form Post Response Mode §2.
type FormPost struct {
	Target template.URL // the validated redirect URI, or an address of ours
	Client string       // "" where it is ours
	Fields []Field
	Nonce  string // of the script
}

// FormPost renders the page that posts itself.
func (s *Set) FormPost(t *Texts, p FormPost) (Page, error) {
	title := t.ReturningTitle
	if p.Client == "" {
		title = t.GoingOnTitle
	}
	return s.render("form_post", t, struct {
		frame
		FormPost
	}{s.frame(t, title), p})
}

// WebMessage is the page that posts an answer to the window that opened it.
type WebMessage struct {
	Origin   string // the only origin that may receive it
	Response map[string]string
	Nonce    string // of the script
}

// WebMessage renders the page that posts an answer to the window that opened it.
func (s *Set) WebMessage(t *Texts, p WebMessage) (Page, error) {
	return s.render("web_message", t, struct {
		frame
		WebMessage
	}{s.frame(t, t.DoneTitle), p})
}
