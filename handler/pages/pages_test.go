package pages

import (
	"strings"
	"testing"
)

// samples renders every page with plausible data.
func samples(t *testing.T, s *Set, texts *Texts) map[string]Page {
	t.Helper()
	out := make(map[string]Page)
	keep := func(name string) func(Page, error) {
		return func(p Page, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[name] = p
		}
	}
	logins := []Option{{Name: "local", Label: "Staff"}, {Name: "guests", Label: "Guests", Selected: true}}
	keep("login")(s.Login(texts, Login{Action: "/login", Ticket: "t", Client: "Orders", Logins: logins[:1]}))
	keep("login-wrong")(s.Login(texts, Login{
		Action: "/login", Ticket: "t", Client: "Orders", Username: "alice", Logins: logins,
		Problem: texts.WrongPassword, WrongPassword: true,
	}))
	keep("consent")(s.Consent(texts, Consent{
		Action: "/consent", Ticket: "t", Client: "Orders for iPhone", Person: "Alice Example", Destination: "com.example.orders",
		Access: []string{texts.Scopes["openid"], texts.Scopes["email"], texts.Scopes["offline_access"], "Change your orders"},
	}))
	keep("login-own-page")(s.Login(texts, Login{Action: "/login", Ticket: "t", Purpose: texts.ToActivate, Logins: logins[:1]}))
	keep("activate")(s.Activate(texts, Activate{Action: "/activate", Ticket: "t", Person: "Alice Example"}))
	keep("activate-wrong")(s.Activate(texts, Activate{
		Action: "/activate", Ticket: "t", Person: "Alice Example", UserCode: "WDJB-MJHT", Problem: texts.WrongCode,
	}))
	keep("device")(s.Device(texts, Device{
		Action: "/activate", Ticket: "t", Client: "Orders for the television", Person: "Alice Example", UserCode: "WDJB-MJHT",
		Access: []string{texts.Scopes["openid"], texts.Scopes["offline_access"], "Change your orders"},
	}))
	keep("device-connected")(s.Message(texts, Message{Title: texts.ConnectedTitle, Text: texts.Connected}))
	keep("logout")(s.Logout(texts, Logout{Action: "/oidc/logout", Ticket: "t", Client: "Orders", Person: "Alice Example"}))
	keep("signed-out")(s.Message(texts, Message{Title: texts.SignedOutTitle, Text: texts.SignedOut}))
	keep("error")(s.Message(texts, Message{
		Title: texts.ErrorTitle, Text: texts.ErrorText, Failed: true, Code: "invalid_request",
		Detail: "The redirect_uri is not one that the application has registered.",
	}))
	keep("form_post")(s.FormPost(texts, FormPost{
		Target: "https://app.example.com/cb", Client: "Orders", Nonce: "n", Fields: []Field{{"code", "c"}, {"state", "s"}},
	}))
	keep("web_message")(s.WebMessage(texts, WebMessage{
		Origin: "https://app.example.com", Nonce: "n", Response: map[string]string{"code": "c", "state": "s"},
	}))
	return out
}

// Every page renders in every language.
func TestEveryPageRenders(t *testing.T) {
	s, err := New(Theme{})
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range s.Languages() {
		for name, page := range samples(t, s, s.In(lang, "")) {
			text := string(page.HTML)
			for _, part := range []string{"<!doctype html>", `<html lang="` + lang + `">`, "<h1>", "</html>", "<title>"} {
				if !strings.Contains(text, part) {
					t.Errorf("%s in %s: no %s in\n%s", name, lang, part, text)
				}
			}
			if strings.Contains(text, "ZgotmplZ") || strings.Contains(text, "<no value>") || strings.Contains(text, "%!") {
				t.Errorf("%s in %s: a value was not rendered:\n%s", name, lang, text)
			}
			if page.Lang != lang {
				t.Errorf("%s is %s, want %s", name, page.Lang, lang)
			}
		}
	}
}

func TestPagesEscapeWhatTheyShow(t *testing.T) {
	s, err := New(Theme{Name: `<script>alert("theme")</script>`})
	if err != nil {
		t.Fatal(err)
	}
	evil := `"><script>alert(1)</script>{{7*7}}{env.HOME}<img src=x onerror=alert(1)>`
	texts := s.In("", "")
	for name, render := range map[string]func() (Page, error){
		"login": func() (Page, error) {
			return s.Login(texts, Login{Action: "/login", Client: evil, Username: evil, Ticket: evil, Problem: evil})
		},
		"consent": func() (Page, error) {
			return s.Consent(texts, Consent{Client: evil, Person: evil, Destination: evil, Access: []string{evil}})
		},
		"activate": func() (Page, error) {
			return s.Activate(texts, Activate{Action: "/activate", Ticket: evil, Person: evil, UserCode: evil, Problem: evil})
		},
		"device": func() (Page, error) {
			return s.Device(texts, Device{Action: "/activate", Ticket: evil, Client: evil, Person: evil, UserCode: evil, Access: []string{evil}})
		},
		"message": func() (Page, error) {
			return s.Message(texts, Message{Title: evil, Text: evil, Detail: evil, Code: evil})
		},
		"form_post": func() (Page, error) {
			return s.FormPost(texts, FormPost{Client: evil, Fields: []Field{{"state", evil}}, Nonce: "n"})
		},
		"web_message": func() (Page, error) {
			return s.WebMessage(texts, WebMessage{Response: map[string]string{"state": "</script>" + evil}, Nonce: "n"})
		},
	} {
		page, err := render()
		if err != nil {
			t.Fatal(err)
		}
		text := string(page.HTML)
		if strings.Contains(text, "<script>") || strings.Contains(text, "<img src=x") || strings.Contains(text, "49") {
			t.Errorf("%s: not escaped:\n%s", name, text)
		}
		if strings.Count(text, "</script>") != strings.Count(text, "<script ") {
			t.Errorf("%s: a value ends the script:\n%s", name, text)
		}
	}
}

func TestThemeCheck(t *testing.T) {
	for _, tc := range []struct {
		name  string
		theme Theme
		ok    bool
	}{
		{"empty", Theme{}, true},
		{"path and long color", Theme{Logo: "/logo.svg", Color: "#0a7d55"}, true},
		{"data URL and short color", Theme{Logo: "data:image/png;base64,AAAA", Color: "#fff"}, true},
		{"other host", Theme{Logo: "https://cdn.example.com/logo.svg"}, false},
		{"other host without scheme", Theme{Logo: "//cdn.example.com/logo.svg"}, false},
		{"script", Theme{Logo: "javascript:alert(1)"}, false},
		{"html data", Theme{Logo: "data:text/html,x"}, false},
		{"named color", Theme{Color: "red"}, false},
		{"css", Theme{Color: "#fff;}body{display:none"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.theme.Check(); (err == nil) != tc.ok {
				t.Errorf("Check() = %v, want ok %t", err, tc.ok)
			}
		})
	}
}

func TestAccentStaysReadable(t *testing.T) {
	for _, accent := range []string{"#000", "#fff", "#2454d6", "#ffd500", "#777"} {
		c, err := parseColor(accent)
		if err != nil {
			t.Fatal(err)
		}
		best := max(contrast(c.luminance(), 0), contrast(c.luminance(), 1))
		if best < 4.5 {
			t.Errorf("%s: text on it has contrast %.1f", accent, best)
		}
		if got := contrast(c.toward(color{}, 1, 3).luminance(), 1); got < 3 {
			t.Errorf("%s: the focus ring has contrast %.1f on white", accent, got)
		}
	}
}
