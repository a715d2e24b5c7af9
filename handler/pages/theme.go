package pages

import (
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Theme is how an operator makes the pages their own.
type Theme struct {
	Name  string // of the organisation; "" is "Gatehouse"
	Logo  string // a path on the same origin or a data: URL of an image; "" for none
	Color string // the accent as #rgb or #rrggbb; "" for the default
}

// The defaults of a Theme.
const (
	defaultName  = "Gatehouse"
	defaultColor = "#2454d6"
)

// Check reports what is wrong with a theme, and the fix. Pages load nothing
// from other places, so that nobody else learns who signs in where.
func (t Theme) Check() error {
	path := strings.HasPrefix(t.Logo, "/") && !strings.HasPrefix(t.Logo, "//") && !strings.ContainsAny(t.Logo, "\\ \t\r\n")
	if t.Logo != "" && !path && !strings.HasPrefix(t.Logo, "data:image/") {
		return errors.New("reading theme: the logo must be a path on the gateway's own origin, such as /logo.svg, or a data:image/ URL")
	}
	if t.Color == "" {
		return nil
	}
	if _, err := parseColor(t.Color); err != nil {
		return fmt.Errorf("reading theme: %w", err)
	}
	return nil
}

// LogoURL marks the checked logo as safe for html/template, which knows no data: URLs.
func (t Theme) LogoURL() template.URL { return template.URL(t.Logo) } //nolint:gosec // checked by Check

type color [3]byte

func parseColor(s string) (color, error) {
	digits, ok := strings.CutPrefix(s, "#")
	if ok && len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != 3 {
		return color{}, errors.New("the color must be #rgb or #rrggbb")
	}
	return color(b), nil
}

func (c color) String() string { return "#" + hex.EncodeToString(c[:]) }

// luminance is the relative luminance of WCAG 2.2.
func (c color) luminance() float64 {
	linear := func(b byte) float64 {
		v := float64(b) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

// toward mixes the color with another until their contrast with a ground
// reaches ratio, so that any accent stays visible on it.
func (c color) toward(other color, ground, ratio float64) color {
	mixed := c
	for step := range 21 {
		part := float64(step) / 20
		for i := range mixed {
			mixed[i] = byte(math.Round(float64(c[i])*(1-part) + float64(other[i])*part))
		}
		if contrast(mixed.luminance(), ground) >= ratio {
			break
		}
	}
	return mixed
}

// style returns the CSS variables that follow from the accent: the text on it
// is black or white, whichever is easier to read.
func (t Theme) style() (string, error) {
	c, err := parseColor(t.Color)
	if err != nil {
		return "", err
	}
	white, black := color{255, 255, 255}, color{0, 0, 0}
	on := white
	if contrast(c.luminance(), 0) > contrast(c.luminance(), 1) {
		on = black
	}
	dark := color{0x18, 0x1b, 0x21}.luminance()
	onLight, onDark := c.toward(black, 1, 3), c.toward(white, dark, 4.5)
	return fmt.Sprintf(":root{--accent:%s;--on-accent:%s;--ring:%s;--mark:%s}"+
		"@media (prefers-color-scheme:dark){:root{--ring:%s;--mark:%s}}\n", c, on, onLight, onLight, onDark, onDark), nil
}
