package pages

import (
	"bytes"
	"fmt"
	"html/template"
)

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

// layoutName is the file that stands around each page.
const layoutName = "layout"

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
