// Package pages renders the few HTML pages that people see: plain, fast, in
// the visitor's dark or light scheme, and complete without JavaScript. Only
// the two pages that hand an answer on without a click (form_post and
// web_message) hold a script, under a nonce.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
)

//go:embed html/*.html
var files embed.FS

//go:embed style.css
var stylesheet string

// Set is the pages in one theme. Safe for concurrent use.
type Set struct {
	theme     Theme
	style     template.CSS
	styleHash string
	templates map[string]*template.Template
	locales   locales
}

// Page is one page as it is sent.
type Page struct {
	HTML []byte
	Lang string // of its texts
}

// New renders the parts that are the same on each page.
func New(t Theme) (*Set, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if t.Name == "" {
		t.Name = defaultName
	}
	if t.Color == "" {
		t.Color = defaultColor
	}
	variables, err := t.style()
	if err != nil {
		return nil, err
	}
	style := variables + stylesheet
	sum := sha256.Sum256([]byte(style))
	s := &Set{
		theme:     t,
		style:     template.CSS(style), //nolint:gosec // embedded, and a checked color
		styleHash: "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
		templates: make(map[string]*template.Template),
	}
	if s.locales, err = embedded(); err != nil {
		return nil, err
	}
	for _, name := range []string{"login", "consent", "account", "activate", "device", "logout", "message", "form_post", "web_message", "site"} {
		tmpl, err := template.New(name).Funcs(functions).ParseFS(files, "html/layout.html", "html/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("reading page %s: %w", name, err)
		}
		s.templates[name] = tmpl
	}
	return s, nil
}

// functions are what templates have beside those of html/template.
var functions = template.FuncMap{"strong": strong, "code": code}

// StyleSource is the style-src source of the pages' one style element, for
// their Content-Security-Policy.
func (s *Set) StyleSource() string { return s.styleHash }

// HasLogo reports whether pages show an image.
func (s *Set) HasLogo() bool { return s.theme.Logo != "" }

// frame is what the layout needs beside a page's own data.
type frame struct {
	Theme Theme
	Style template.CSS
	Lang  string
	Title string
	T     *Texts
}

func (s *Set) frame(t *Texts, title string) frame {
	return frame{Theme: s.theme, Style: s.style, Lang: t.Lang, Title: title, T: t}
}

func (s *Set) render(name string, t *Texts, data any) (Page, error) {
	var b bytes.Buffer
	if err := s.templates[name].ExecuteTemplate(&b, "layout", data); err != nil {
		return Page{}, fmt.Errorf("rendering page %s: %w", name, err)
	}
	return Page{HTML: b.Bytes(), Lang: t.Lang}, nil
}

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
	Refused   *Refused // nil but for who may not come in
	Problem   string   // "" at first
	// WrongPassword marks the fields as invalid.
	WrongPassword bool
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

// Message is a page that only says something.
type Message struct {
	Title, Text string
	Detail      string // for developers, such as the description of an OAuth error
	Code        string // the OAuth error
	Address     string // one that came and is not registered
	Option      string // of the configuration, that would change it
	Failed      bool   // it is bad news
}

// Message renders a page that only says something.
func (s *Set) Message(t *Texts, p Message) (Page, error) {
	return s.render("message", t, struct {
		frame
		Message

		Title string // both have one
	}{s.frame(t, p.Title), p, p.Title})
}

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
