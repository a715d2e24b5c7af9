package pages

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// written is a folder with these files, in pairs of name and content.
func written(pairs ...string) fstest.MapFS {
	files := make(fstest.MapFS)
	for i := 0; i < len(pairs); i += 2 {
		files[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return files
}

func ours(t *testing.T, name string) string {
	t.Helper()
	b, err := files.ReadFile("html/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What an operator writes is taken, and the rest is as it was.
func TestFolder(t *testing.T) {
	login := strings.Replace(ours(t, "login.html"), `<h1>`, `<p>Ask the help desk for a password.</p><h1>`, 1)
	s, err := New(Theme{Folder: written(
		"de.json", `{"SignInTitle": "Einloggen", "Scopes": {"orders:write": "Ihre Bestellungen ändern"}, "Seconds": {"other": "%d Sek."}}`,
		"de-AT.json", `{"Password": "Kennwort"}`,
		"it.json", `{"SignInTitle": "Accedi"}`,
		"login.html", login,
		"style.css", "h1 { color: teal }",
		".de.json.swp", "x", "login.html~", "x", "..data", "x",
	)})
	if err != nil {
		t.Fatal(err)
	}
	german, austrian, italian := s.In("de", ""), s.In("", "de-at"), s.In("it-CH", "")
	for _, tc := range []struct{ what, got, want string }{
		{"a text", german.SignInTitle, "Einloggen"},
		{"another", german.Password, "Passwort"},
		{"a scope", german.Scopes["orders:write"], "Ihre Bestellungen ändern"},
		{"a scope of ours", german.Scopes["email"], "Ihre E-Mail-Adresse sehen"},
		{"a form", german.Seconds["other"], "%d Sek."},
		{"another form", german.Seconds["one"], "%d Sekunde"},
		{"a region", austrian.Password, "Kennwort"},
		{"what a region leaves out", austrian.SignInTitle, "Einloggen"},
		{"a language of its own", italian.SignInTitle, "Accedi"},
		{"what it leaves out", italian.Password, "Password"},
		{"its tag", italian.Lang, "it"},
		{"English", s.In("en", "").Password, "Password"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %q, want %q", tc.what, tc.got, tc.want)
		}
	}
	if got := s.Languages(); !slices.Equal(got, []string{"de", "de-AT", "en", "es", "fr", "it", "ja"}) {
		t.Errorf("languages %q", got)
	}
	page, err := s.Login(italian, Login{Logins: []Option{{Name: "local"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"Ask the help desk", "h1 { color: teal }", `<html lang="it">`, "Accedi"} {
		if !strings.Contains(string(page.HTML), part) {
			t.Errorf("no %q in\n%s", part, page.HTML)
		}
	}
	if plain := testSet(t); plain.In("de", "").SignInTitle != "Anmelden" || plain.StyleSource() == s.StyleSource() {
		t.Error("a folder has changed what others have")
	}
}

func TestFolderOnDisk(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fr.json"), []byte(`{"SignIn": "Entrer"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(Theme{Folder: os.DirFS(dir)})
	if err != nil || s.In("fr", "").SignIn != "Entrer" {
		t.Fatal(s, err)
	}
	if _, err := New(Theme{Folder: os.DirFS(filepath.Join(dir, "none"))}); err == nil {
		t.Error("a folder that is not there")
	}
}

// A mistake is told at start, with the file and what to write.
func TestFolderMistakes(t *testing.T) {
	without := func(name, part string) string {
		text := ours(t, name)
		if !strings.Contains(text, part) {
			t.Fatalf("%s has no %s", name, part)
		}
		return strings.ReplaceAll(text, part, "")
	}
	for _, tc := range []struct{ name, file, content, want string }{
		{"unknown text", "de.json", `{"Signin title": "x"}`, `de.json: there is no text "Signin title": take the names of our English file`},
		{"no JSON", "de.json", "{\n\"SignIn\": \"a\"\n\"SignUp\": \"b\"}", "de.json: line 3: invalid character '\"' after object key:value pair"},
		{"cut off", "de.json", `{"SignIn": `, "de.json: reading texts: unexpected EOF"},
		{"more than an object", "de.json", `{} {}`, "de.json: reading texts: there is something behind the object"},
		{"a number", "de.json", `{"SignIn": 5}`, "de.json: SignIn is a number: write it as our English file does"},
		{"an empty text", "de.json", `{"SignIn": " "}`, "de.json: SignIn is empty: leave it out to have the default"},
		{"a verb too few", "de.json", `{"ToContinue": "weiter"}`, `de.json: ToContinue must have %[1]s as the English text does: to continue to %s`},
		{"a verb too many", "de.json", `{"SignIn": "100 %"}`, "de.json: SignIn must have no %: nothing is put into this text"},
		{"a plural form", "pl.json", `{"Seconds": {"few": "kilka"}}`, `pl.json: Seconds.few must have %[1]d as the English text does: %d seconds`},
		{"a date", "de.json", `{"Date": "{day}.{month}."}`, "de.json: Date must have {day} {month} {year} {hour} {minute} once each"},
		{"months", "de.json", `{"Months": ["Jänner"]}`, "de.json: Months.1 is empty: leave it out to have the default"},
		{"no language", "german-texts.json", `{}`, "german-texts.json: its name is no language tag: write de.json or pt-BR.json, say"},
		{"no page", "signin.html", "x", "signin.html: there is no page of this name: take one of account,"},
		{"no file of ours", "notes.txt", "x", "notes.txt: it is neither a page (.html), nor texts (.json), nor style.css: take it out of the folder"},
		{"a stylesheet that ends", "style.css", "</STYLE><script>", "style.css: it ends the style element: write CSS alone"},
		{"no template", "login.html", `{{define "content"}}{{if}}{{end}}`, "login.html: template: login.html:1: missing value for if"},
		{"a field that is not there", "consent.html", strings.ReplaceAll(ours(t, "consent.html"), ".Client", ".Application"), "consent.html: rendering page consent: template: consent.html:"},
		{"nothing at all", "logout.html", "", `logout.html: rendering page logout: `},
		{"no ticket", "login.html", without("login.html", `value="{{.Ticket}}"`), `login.html: the page has no name="request" value="sealed-ticket" where it shows "login"`},
		{"no password", "login.html", without("login.html", `name="password"`), `login.html: the page has no name="password" where it shows "login"`},
		{"no way to say no", "consent.html", without("consent.html", `value="cancel"`), `consent.html: the page has no value="cancel" where it shows "consent"`},
		{"nobody knows where it goes", "consent.html", without("consent.html", `{{.Destination}}`), `consent.html: the page has no com.example.orders where it shows "consent"`},
		{"a layout without a page", "layout.html", `{{define "layout"}}<html></html>{{end}}`, `layout.html: the page has no name="username" where it shows "login"`},
		{"a value in a strange place", "layout.html", strings.Replace(ours(t, "layout.html"), "<body>", `<body><script>var x = "{{.Title}}</script>`, 1), "layout.html: rendering page login: html/template:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := New(Theme{Folder: written(tc.file, tc.content)})
			if err == nil || !strings.HasPrefix(err.Error(), "folder: "+tc.want) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
}

// The default templates would be taken from a folder, too: the demands are none that they do not meet.
func TestFolderOfOurOwn(t *testing.T) {
	folder := written(layoutName+".html", ours(t, layoutName+".html"))
	for _, name := range pageNames() {
		folder[name+".html"] = written(name+".html", ours(t, name+".html"))[name+".html"]
	}
	for _, lang := range testSet(t).Languages() {
		b, err := textFiles.ReadFile("texts/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		folder[lang+".json"] = written("", string(b))[""]
	}
	if _, err := New(Theme{Folder: folder}); err != nil {
		t.Error(err)
	}
}
