package pages

import (
	"strings"
	"testing"
)

// Every page renders in every language.
func TestEveryPageRenders(t *testing.T) {
	s := testSet(t)
	shown := make(map[string]bool)
	for _, sample := range samples() {
		shown[sample.page] = true
		for _, lang := range s.Languages() {
			page, err := sample.render(s, s.In(lang, ""))
			if err != nil {
				t.Fatalf("%s in %s: %v", sample.name, lang, err)
			}
			text := string(page.HTML)
			for _, part := range append([]string{"<!doctype html>", `<html lang="` + lang + `">`, "<h1>", "</html>", "<title>", `<link rel="icon" href="data:`}, sample.needs...) {
				if !strings.Contains(text, part) {
					t.Errorf("%s in %s: no %s in\n%s", sample.name, lang, part, text)
				}
			}
			for _, part := range []string{"ZgotmplZ", "<no value>", "%!", "<script>"} {
				if strings.Contains(text, part) {
					t.Errorf("%s in %s: a value was not rendered, %s:\n%s", sample.name, lang, part, text)
				}
			}
			if page.Lang != lang {
				t.Errorf("%s is %s, want %s", sample.name, page.Lang, lang)
			}
			if len(text) > 15_000 && sample.page == "login" {
				t.Errorf("%s in %s has %d bytes, a login page may have 15,000", sample.name, lang, len(text))
			}
		}
	}
	for _, name := range pageNames() {
		if !shown[name] {
			t.Errorf("%s has no sample", name)
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
		{"favicon", Theme{Favicon: "/icon.png"}, true},
		{"favicon elsewhere", Theme{Favicon: "https://cdn.example.com/icon.png"}, false},
		{"links", Theme{Help: "mailto:help@example.com", Privacy: "https://example.com/privacy"}, true},
		{"links here", Theme{Help: "/help", Privacy: "/privacy?x=1"}, true},
		{"link without encryption", Theme{Help: "http://example.com/help"}, false},
		{"link to any host", Theme{Help: "//example.com/help"}, false},
		{"link that runs", Theme{Privacy: "javascript:alert(1)"}, false},
		{"link to data", Theme{Privacy: "data:text/html,x"}, false},
		{"link with a blank", Theme{Help: "/a b"}, false},
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

// O9: help and privacy are linked to where they are configured, on every page.
func TestO9Links(t *testing.T) {
	with, err := New(Theme{Help: "mailto:help@example.com", Privacy: "https://example.com/privacy?a=1&b=2", Favicon: "/icon.png"})
	if err != nil {
		t.Fatal(err)
	}
	without := testSet(t)
	for _, sample := range samples() {
		page, err := sample.render(with, with.In("de", ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{
			`<a href="mailto:help@example.com">Hilfe</a>`, `<a href="https://example.com/privacy?a=1&amp;b=2">Datenschutz</a>`, `<link rel="icon" href="/icon.png">`,
		} {
			if !strings.Contains(string(page.HTML), part) {
				t.Errorf("%s: no %s in\n%s", sample.name, part, page.HTML)
			}
		}
		page, err = sample.render(without, without.In("de", ""))
		if err != nil || strings.Contains(string(page.HTML), "<footer>") {
			t.Errorf("%s: %v\n%s", sample.name, err, page.HTML)
		}
	}
	if got, want := with.ImageSource()+", "+without.ImageSource(), "'self' data:, data:"; got != want {
		t.Errorf("img-src %s, want %s", got, want)
	}
}
