// Package pages renders the few HTML pages that people see: plain, fast, in
// the visitor's dark or light scheme, and complete without JavaScript. Scripts
// stand under a nonce: they hand an answer on without a click (form_post and
// web_message), show a password, and write times as the person's clock has them.
package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the stylesheet
	"encoding/base64"
	"fmt"
	"html/template"
)

//go:embed style.css
var stylesheet string

// Set is the pages in one theme. Safe for concurrent use.
type Set struct {
	theme     Theme
	icon      template.URL
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

// New reads the theme's folder, and renders the parts that are the same on each page.
// Errors name the file and the fix.
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
	own, err := readFolder(t.Folder)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	style := variables + stylesheet + own.style
	sum := sha256.Sum256([]byte(style))
	s := &Set{
		theme:     t,
		icon:      t.IconURL(),
		style:     template.CSS(style), //nolint:gosec // embedded, a checked color, and the operator's
		styleHash: "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
		templates: make(map[string]*template.Template),
	}
	if s.locales, err = embedded(); err != nil {
		return nil, err
	}
	if err := own.addTexts(s.locales); err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	if err := s.parse(own); err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	return s, nil
}

// StyleSource is the style-src source of the pages' one style element, for
// their Content-Security-Policy.
func (s *Set) StyleSource() string { return s.styleHash }

// ImageSource is the img-src source of what pages show.
func (s *Set) ImageSource() string {
	if s.theme.Logo != "" || s.theme.Favicon != "" {
		return "'self' data:"
	}
	return "data:"
}

// frame is what the layout needs beside a page's own data.
type frame struct {
	Theme Theme
	Icon  template.URL
	Style template.CSS
	Lang  string
	Title string
	T     *Texts
}

func (s *Set) frame(t *Texts, title string) frame {
	return frame{Theme: s.theme, Icon: s.icon, Style: s.style, Lang: t.Lang, Title: title, T: t}
}

func (s *Set) render(name string, t *Texts, data any) (Page, error) {
	var b bytes.Buffer
	if err := s.templates[name].ExecuteTemplate(&b, layoutName, data); err != nil {
		return Page{}, fmt.Errorf("rendering page %s: %w", name, err)
	}
	return Page{HTML: b.Bytes(), Lang: t.Lang}, nil
}
