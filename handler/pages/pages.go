// Package pages renders the few HTML pages that people see: plain, fast, in
// the visitor's dark or light scheme, and complete without JavaScript. Scripts
// stand under a nonce: they hand an answer on without a click (form_post and
// web_message), show a password, and write times as the person's clock has them.
package pages

import (
	"crypto/sha256"
	_ "embed" // the stylesheet
	"encoding/base64"
	"fmt"
	"html/template"
)

//go:embed style.css
var stylesheet string

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
