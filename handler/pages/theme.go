package pages

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"strings"
)

// Theme is how an operator makes the pages their own.
type Theme struct {
	Name    string // of the organisation; "" is "Gatehouse"
	Logo    string // a path on the same origin or a data: URL of an image; "" for none
	Color   string // the accent as #rgb or #rrggbb; "" for the default
	Favicon string // as Logo; "" is a small picture that stands in the page
	Help    string // where people find help: an https or mailto URL, or a path; "" for no link
	Privacy string // what is done with their data, likewise
	// Folder has texts and templates in the place of ours; nil for none. See readFolder.
	Folder fs.FS
}

// The defaults of a Theme.
const (
	defaultName  = "Gatehouse"
	defaultColor = "#2454d6"
)

// Check reports what is wrong with a theme, and the fix. Pages load nothing
// from other places, so that nobody else learns who signs in where.
func (t Theme) Check() error {
	for name, picture := range map[string]string{"logo": t.Logo, "favicon": t.Favicon} {
		path := strings.HasPrefix(picture, "/") && !strings.HasPrefix(picture, "//") && !strings.ContainsAny(picture, "\\ \t\r\n")
		if picture != "" && !path && !strings.HasPrefix(picture, "data:image/") {
			return fmt.Errorf("reading theme: the %s must be a path on the gateway's own origin, such as /%s.svg, or a data:image/ URL", name, name)
		}
	}
	for name, link := range map[string]string{"help": t.Help, "privacy": t.Privacy} {
		if err := CheckLink(link); err != nil {
			return fmt.Errorf("reading theme: the %s link %w", name, err)
		}
	}
	if t.Color == "" {
		return nil
	}
	if _, err := parseColor(t.Color); err != nil {
		return fmt.Errorf("reading theme: %w", err)
	}
	return nil
}

// CheckLink reports what keeps an address from being linked to.
func CheckLink(link string) error {
	u, err := url.Parse(link)
	switch {
	case link == "":
		return nil
	case err != nil || strings.ContainsAny(link, "\\ \t\r\n"):
		return errors.New("is not a URL: percent-encode what a URL cannot have")
	case u.Scheme == "https" && u.Host != "", u.Scheme == "mailto" && u.Opaque != "":
		return nil
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(link, "/"):
		return nil
	}
	return errors.New("must be https://…, mailto:… or a path such as /help")
}

// LogoURL marks the checked logo as safe for html/template, which knows no data: URLs.
func (t Theme) LogoURL() template.URL { return template.URL(t.Logo) } //nolint:gosec // checked by Check

// IconURL is the favicon: ours stands in the page, so that nothing else is fetched.
func (t Theme) IconURL() template.URL {
	if t.Favicon != "" {
		return template.URL(t.Favicon) //nolint:gosec // checked by Check
	}
	picture := `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="` + t.Color +
		`"/><path fill="` + t.onColor() + `" d="M5 19V6h3v2h2.5V6h3v2H16V6h3v13h-4.5v-4a2.5 2.5 0 0 0-5 0v4Z"/></svg>`
	return template.URL("data:image/svg+xml," + url.PathEscape(picture)) //nolint:gosec // embedded, and a checked color
}
