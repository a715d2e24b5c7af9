package pages

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
)

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

var white, black = color{255, 255, 255}, color{0, 0, 0}

// onColor is what is easier to read on the accent, black or white.
func (t Theme) onColor() string {
	c, err := parseColor(t.Color)
	if err == nil && contrast(c.luminance(), 0) > contrast(c.luminance(), 1) {
		return black.String()
	}
	return white.String()
}

// style returns the CSS variables that follow from the accent: the text on it
// is black or white, whichever is easier to read.
func (t Theme) style() (string, error) {
	c, err := parseColor(t.Color)
	if err != nil {
		return "", err
	}
	dark := color{0x18, 0x1b, 0x21}.luminance()
	onLight, onDark := c.toward(black, 1, 3), c.toward(white, dark, 4.5)
	return fmt.Sprintf(":root{--accent:%s;--on-accent:%s;--ring:%s;--mark:%s}"+
		"@media (prefers-color-scheme:dark){:root{--ring:%s;--mark:%s}}\n", c, t.onColor(), onLight, onLight, onDark, onDark), nil
}
