package caddymodule

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
)

// Theme is how the login, consent, account, and error pages look.
type Theme struct {
	// The name above the form. Default: Gatehouse
	Name string `json:"name,omitempty"`

	// An image above the form: a path on the issuer's host that another route serves, or a
	// `data:image/` URL. The pages load nothing from other hosts, so that nobody else learns
	// who signs in where. Default: none.
	Logo string `json:"logo,omitempty"`

	// The color of buttons and links, as #rgb or #rrggbb. In a Caddyfile, put it in quotes,
	// because # begins a comment there. Default: #2454d6
	Color string `json:"color,omitempty"`

	// The image in the browser's tab, in the same forms as `logo`. Default: a gate in the
	// theme's color, which is part of the page, so that nothing else is fetched.
	Favicon string `json:"favicon,omitempty"`

	// Where people find help: an https or mailto URL, or a path on the issuer's host. Each page
	// links to it at the bottom. Default: no link.
	Help string `json:"help,omitempty"`

	// Where people can read what happens with their data, in the same forms as `help`. Default:
	// no link.
	Privacy string `json:"privacy,omitempty"`

	// A folder with texts and templates to use instead of the built-in ones; the page about
	// pages lists them. It is read when the configuration is loaded, and an error in it is an
	// error in the configuration. Global placeholders are replaced. Default: none.
	Folder string `json:"folder,omitempty"`
}

var hexColor = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)

// maxThemeName bounds the name, in bytes: it is a heading.
const maxThemeName = 100

func (t *Theme) options() grammar.Options {
	return grammar.Options{
		"name":    grammar.String(&t.Name),
		"logo":    grammar.String(&t.Logo),
		"favicon": grammar.String(&t.Favicon),
		"help":    grammar.String(&t.Help),
		"privacy": grammar.String(&t.Privacy),
		"folder":  grammar.String(&t.Folder),
		"color": {Read: func(g *grammar.Reader) (err error) {
			if g.CountRemainingArgs() == 0 {
				return g.Errorf(" has no value: write it in quotes, as in `color \"#1a56db\"`: a # outside of quotes begins a comment")
			}
			t.Color, err = g.Word()
			return err
		}},
	}
}

// Check finds what the text shows to be wrong.
func (t *Theme) Check() error {
	if t == nil {
		return nil
	}
	if len(t.Name) > maxThemeName {
		return grammar.Wrong("name", "it has %d bytes: take at most %d", len(t.Name), maxThemeName)
	}
	if t.Color != "" && !hexColor.MatchString(t.Color) {
		return grammar.WrongValue("color", t.Color, "is not a colour: write it as #rgb or #rrggbb, such as #1a56db")
	}
	for _, picture := range []struct{ option, value string }{{"logo", t.Logo}, {"favicon", t.Favicon}} {
		if err := checkPicture(picture.option, picture.value); err != nil {
			return grammar.WrongValue(picture.option, picture.value, "%s", err)
		}
	}
	for _, link := range []struct{ option, value string }{{"help", t.Help}, {"privacy", t.Privacy}} {
		if err := pages.CheckLink(link.value); err != nil {
			return grammar.WrongValue(link.option, link.value, "%s", err)
		}
	}
	return nil
}

func checkPicture(option, path string) error {
	switch {
	case path == "", strings.HasPrefix(path, "data:image/"):
		return nil
	case path[0] != '/' || strings.HasPrefix(path, "//"):
		return fmt.Errorf("is not a path: the pages load nothing from other hosts, so serve the picture beside `oauth_server` and write its path, such as /%s.svg", option)
	case strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`\"'<>{}`, r) }):
		return errors.New("has a character that a path cannot have: percent-encode it")
	}
	return nil
}

// pages returns the theme as the pages have it.
func (t *Theme) pages() (pages.Theme, error) {
	if t == nil {
		return pages.Theme{}, nil
	}
	theme := pages.Theme{Name: t.Name, Logo: t.Logo, Color: t.Color, Favicon: t.Favicon, Help: t.Help, Privacy: t.Privacy}
	if t.Folder == "" {
		return theme, nil
	}
	path, err := resolvePath(t.Folder)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return theme, fmt.Errorf("theme: folder: %w", err)
	}
	theme.Folder = os.DirFS(path)
	return theme, nil
}
