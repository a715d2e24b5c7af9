package pages

import (
	"html/template"
	"time"
)

// sample is one page with data as it may have, and what must stand on it for
// the page to do its work.
type sample struct {
	name   string // of what it shows
	page   string // the template
	needs  []string
	render func(s *Set, t *Texts) (Page, error)
}

// The fields that a form cannot do without.
const (
	sampleTicket = "sealed-ticket"
	ticketField  = `name="request" value="` + sampleTicket + `"`
)

// samples are every page, in the states that it has.
func samples() []sample {
	return slicesOf(loginSamples(), accountSamples(), deviceSamples(), otherSamples())
}

func slicesOf(lists ...[]sample) (all []sample) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func sampleFrame(p Login) func(*Set, *Texts) (Page, error) {
	p.Action, p.Ticket, p.Nonce = "/login", sampleTicket, "n"
	return func(s *Set, t *Texts) (Page, error) {
		if p.Problem == "wrong" {
			p.Problem = t.WrongPassword
		}
		return s.Login(t, p)
	}
}

func loginSamples() []sample {
	local := []Option{{Name: "local", Label: "Staff"}}
	two := []Option{{Name: "local", Label: "Staff"}, {Name: "guests", Label: "Guests", Selected: true}}
	providers := []Option{{Name: "company", Label: "Company account"}}
	form := []string{`action="/login"`, ticketField, `value="cancel"`}
	password := append([]string{`name="username"`, `name="password"`, `name="login"`}, form...)
	return []sample{
		{"login", "login", password, sampleFrame(Login{Client: "Orders", Logins: local})},
		{"login-wrong", "login", append([]string{`id="problem"`}, password...), sampleFrame(Login{
			Client: "Orders", Username: "alice", Logins: two, Problem: "wrong", WrongPassword: true,
		})},
		{"login-own-page", "login", password, sampleFrame(Login{Purpose: "to connect a device", Logins: local})},
		{"chooser", "login", append([]string{`name="provider" value="company"`}, password...), sampleFrame(Login{
			Client: "Orders", Logins: local, Providers: providers,
		})},
		{"providers", "login", append([]string{`name="provider" value="company"`}, form...), sampleFrame(Login{
			Client: "Orders", Providers: providers, Another: true,
		})},
		{"refused", "login", append([]string{`name="provider" value="company"`, "company|00u1"}, form...), sampleFrame(Login{
			Client: "Orders", Providers: providers, Problem: "wrong",
			Refused: &Refused{Account: "bob@example.com", Subject: "company|00u1", Login: "company"},
		})},
	}
}

func accountSamples() []sample {
	at := time.Unix(1<<31, 0)
	list, agreed := make([]Application, 3), make([]Agreement, 2)
	for i := range list {
		list[i] = Application{App: App{Name: "Orders"}, ID: "0a1b", Device: "Firefox on Linux", From: "192.0.2.1", Since: at, LastUsed: at, Here: i == 0}
	}
	for i := range agreed {
		agreed[i] = Agreement{App: App{Name: "Orders"}, ID: "2c3d", Access: []string{"Know who you are"}, Agreed: at, LastUsed: at}
	}
	pager := Pager{Page: 2, Of: 3, Previous: "/account?page=1", Next: "/account?page=3"}
	form := []string{`action="/account"`, ticketField, `value="signout"`, `value="everywhere"`, "Alice Example"}
	account := func(a Account) func(*Set, *Texts) (Page, error) {
		a.Action, a.Ticket, a.Person, a.Login, a.Since, a.Nonce = "/account", sampleTicket, "Alice Example", "Staff", at, "n"
		return func(s *Set, t *Texts) (Page, error) { return s.Account(t, a) }
	}
	return []sample{
		{"account", "account", append([]string{`name="end" value="0a1b"`, `name="withdraw" value="2c3d"`, "/account?page=3"}, form...), account(Account{
			Applications: list, Pages: pager, Agreements: agreed, AgreementPages: pager,
		})},
		{"account-empty", "account", form, account(Account{Done: "Done.", Problem: "Wrong."})},
	}
}

func deviceSamples() []sample {
	access := []string{"Know who you are", "Use orders:read"}
	decide := []string{`action="/activate"`, ticketField, `name="action" value="allow"`, `value="cancel"`, "Alice Example"}
	return []sample{
		{"activate", "activate", []string{`action="/activate"`, ticketField, `name="user_code"`, `value="continue"`}, func(s *Set, t *Texts) (Page, error) {
			return s.Activate(t, Activate{Action: "/activate", Ticket: sampleTicket, Person: "Alice Example"})
		}},
		{"activate-wrong", "activate", []string{`name="user_code"`, `id="problem"`}, func(s *Set, t *Texts) (Page, error) {
			return s.Activate(t, Activate{Action: "/activate", Ticket: sampleTicket, Person: "Alice Example", UserCode: "WDJB-MJHT", Problem: t.WrongCode})
		}},
		{"device", "device", append([]string{"WDJB-MJHT"}, decide...), func(s *Set, t *Texts) (Page, error) {
			return s.Device(t, Device{Action: "/activate", Ticket: sampleTicket, Client: "Television", Person: "Alice Example", UserCode: "WDJB-MJHT", Access: access})
		}},
		{"consent", "consent", []string{`action="/consent"`, ticketField, `name="action" value="allow"`, `value="cancel"`, "com.example.orders", "Alice Example"}, func(s *Set, t *Texts) (Page, error) {
			return s.Consent(t, Consent{
				Action: "/consent", Ticket: sampleTicket, Client: "Orders for iPhone", Person: "Alice Example",
				Destination: "com.example.orders", Access: access, Problem: t.AnswerAgain,
			})
		}},
		{"logout", "logout", []string{`action="/oidc/logout"`, ticketField, `name="action" value="logout"`, `value="cancel"`}, func(s *Set, t *Texts) (Page, error) {
			return s.Logout(t, Logout{Action: "/oidc/logout", Ticket: sampleTicket, Client: "Orders", Person: "Alice Example"})
		}},
	}
}

func otherSamples() []sample {
	return []sample{
		{"message", "message", nil, func(s *Set, t *Texts) (Page, error) {
			return s.Message(t, Message{Title: t.SignedOutTitle, Text: t.SignedOut})
		}},
		{"error", "message", []string{"0f1e2d3c", "invalid_request"}, func(s *Set, t *Texts) (Page, error) {
			return s.Message(t, Message{
				Title: t.ErrorTitle, Text: t.ErrorText, Failed: true, Code: "invalid_request", Address: "https://elsewhere.example/",
				Detail: "The redirect_uri is not one that the application has registered.", Option: "redirect_uris", Reference: "0f1e2d3c", Time: "now",
			})
		}},
		{"site", "site", []string{`action="/.gatehouse/login"`, `href="/.gatehouse/logout"`, `id="sign-in"`, `data-of="/x"`, `nonce="n"`, "alice@example.com"}, func(s *Set, t *Texts) (Page, error) {
			return s.Site(t, Site{
				Title: t.SignedOutTitle, Text: t.SignedOut, Account: "alice@example.com", Failed: true, Script: SiteClose, Nonce: "n",
				Actions: []SiteAction{{URL: "/.gatehouse/login", Text: t.SignIn, Post: true}, {URL: "/.gatehouse/logout", Text: t.SignOut, ID: StartID, Data: "/x", NewTab: true}},
			})
		}},
		{"appkeys", "appkeys", []string{`action="/account/keys"`, ticketField, `name="site"`, `name="name"`, `value="https://wiki.example.com"`, "gk1.sample", `href="/account"`}, func(s *Set, t *Texts) (Page, error) {
			return s.AppKeys(t, AppKeys{
				Action: "/account/keys", Ticket: sampleTicket, Account: "/account", Key: "gk1.sample", Problem: t.AnswerAgain,
				Sites: []Option{{Name: "https://wiki.example.com", Label: "wiki.example.com"}},
			})
		}},
		{"form_post", "form_post", []string{`action="https://app.example.com/cb"`, `name="code" value="c"`, `nonce="n"`}, func(s *Set, t *Texts) (Page, error) {
			return s.FormPost(t, FormPost{
				Target: template.URL("https://app.example.com/cb"), Client: "Orders", Nonce: "n", Fields: []Field{{"code", "c"}, {"state", "s"}},
			})
		}},
		{"web_message", "web_message", []string{`nonce="n"`, "authorization_response", `"https://app.example.com"`}, func(s *Set, t *Texts) (Page, error) {
			return s.WebMessage(t, WebMessage{Origin: "https://app.example.com", Nonce: "n", Response: map[string]string{"code": "c", "state": "s"}})
		}},
	}
}
