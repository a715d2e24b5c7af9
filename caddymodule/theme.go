package caddymodule

import (
	"errors"
	"regexp"
	"strings"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
)

// Theme is how the login, consent, account and error pages look.
type Theme struct {
	// The name above the form. Default: Gatehouse
	Name string `json:"name,omitempty"`

	// A picture above the form: a path on the issuer's host that another route
	// serves, or a `data:image/` URL. The pages load nothing from other hosts, so that
	// nobody else learns who signs in where. Default: none.
	Logo string `json:"logo,omitempty"`

	// The colour of buttons and links, as #rgb or #rrggbb; in a Caddyfile in quotes, since
	// # begins a comment there. Default: #2454d6
	Color string `json:"color,omitempty"`
}

var hexColor = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)

// maxThemeName bounds the name, in bytes: it is a heading.
const maxThemeName = 100

func (t *Theme) options() grammar.Options {
	return grammar.Options{
		"name": grammar.String(&t.Name),
		"logo": grammar.String(&t.Logo),
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
	if err := checkLogo(t.Logo); err != nil {
		return grammar.WrongValue("logo", t.Logo, "%s", err)
	}
	return nil
}

func checkLogo(logo string) error {
	switch {
	case logo == "", strings.HasPrefix(logo, "data:image/"):
		return nil
	case logo[0] != '/' || strings.HasPrefix(logo, "//"):
		return errors.New("is not a path: the pages load nothing from other hosts, so serve the picture beside `oauth_server` and write its path, such as /logo.svg")
	case strings.ContainsFunc(logo, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`\"'<>{}`, r) }):
		return errors.New("has a character that a path cannot have: percent-encode it")
	}
	return nil
}

// pages returns the theme as the pages have it.
func (t *Theme) pages() pages.Theme {
	if t == nil {
		return pages.Theme{}
	}
	return pages.Theme{Name: t.Name, Logo: t.Logo, Color: t.Color}
}
