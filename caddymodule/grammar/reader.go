// Package grammar reads the options of directives, modules and their blocks from
// Caddyfile tokens. It alone says what is unknown, a duplicate, missing or too much,
// and at which line stands what a check of the values has found.
package grammar

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Reader reads a block of options and remembers where each stands, so that
// what Check finds is reported at its line.
type Reader struct {
	*caddyfile.Dispenser

	blocks []string // as in Problem
	places map[string]caddyfile.Token
	Name   string // of the option that is being read
}

// NewReader begins at the name of a directive or module; errors call it name.
func NewReader(d *caddyfile.Dispenser, name string) *Reader {
	d.Next()
	return &Reader{Dispenser: d, Name: name, places: make(map[string]caddyfile.Token)}
}

// ReadDirective reads the options of a directive that takes no arguments; Caddy has taken its
// matcher out, which is one word.
func (g *Reader) ReadDirective(known Options) error {
	g.places[placeKey(nil, "", "")] = g.Token()
	switch {
	case !g.NextArg():
	case strings.HasPrefix(g.Val(), "/"):
		return g.Errorf(" takes one path or matcher, and %s is a second: name all paths in a matcher, `@guarded path <path> %s`, and write `%s @guarded`", g.Val(), g.Val(), g.Name)
	default:
		return g.tooMany(g.Val())
	}
	return g.read(known)
}

// ReadBlock reads the options of a block that Check knows by its title.
func (g *Reader) ReadBlock(title string, known Options) error {
	g.blocks = append(g.blocks, title)
	g.places[placeKey(g.blocks, "", "")] = g.Token()
	defer func() { g.blocks = g.blocks[:len(g.blocks)-1] }()
	return g.read(known)
}

// read reads options up to the end of the block that opens on this line, if one does.
func (g *Reader) read(known Options) error {
	outer := g.Name
	defer func() { g.Name = outer }()

	seen := make(map[string]bool)
	for nesting := g.Nesting(); g.NextBlock(nesting); {
		word := g.Val()
		if word == "{" && g.Name != "" && g.Name != outer {
			return g.Errf("%s takes no block: remove the braces", g.Name)
		}
		opt, ok := known[word]
		if !ok {
			return g.Errf("%sunknown option %q: %s", g.prefix(), word, known.hint())
		}
		if seen[word] && !opt.Many {
			return g.Errf("%sduplicate option %s: keep one, with all that belongs to it", g.prefix(), word)
		}
		seen[word] = true
		g.Name = word
		g.places[placeKey(g.blocks, g.Name, "")] = g.Token()
		if err := opt.Read(g); err != nil {
			return err
		}
	}
	return nil
}

// prefix names the blocks around the current token.
func (g *Reader) prefix() string {
	if len(g.blocks) == 0 {
		return ""
	}
	return strings.Join(g.blocks, ": ") + ": "
}

func placeKey(blocks []string, option, value string) string {
	return strings.Join(append(slices.Clone(blocks), option, value), "\x00")
}

// Located adds file and line to what a Check has found: of the value, or else
// of the option, or else of the block.
func (g *Reader) Located(err error) error {
	var p *problem
	if !errors.As(err, &p) {
		return err
	}
	for _, key := range []string{
		placeKey(p.blocks, p.option, p.value), placeKey(p.blocks, p.option, ""), placeKey(p.blocks, "", ""),
	} {
		if token, ok := g.places[key]; ok {
			at := caddyfile.NewDispenser([]caddyfile.Token{token})
			at.Next()
			return at.WrapErr(p)
		}
	}
	return g.WrapErr(p)
}

// Module reads a guest module of a namespace, which reads the rest of the line and
// its block by itself, from its name on. A word of also stands for the module that it
// names. What a Check says of the block that called returns is then
// reported at the module's line.
func (g *Reader) Module(namespace string, also map[string]string, called func(json.RawMessage) string) (json.RawMessage, error) {
	line := g.Token()
	if !g.NextArg() {
		return nil, g.Missing()
	}
	name := g.Val()
	var known []string
	for _, m := range caddy.GetModules(namespace) {
		known = append(known, m.ID.Name())
	}
	if module, ok := also[name]; ok {
		name = module
	}
	if !slices.Contains(known, name) {
		known = append(known, slices.Collect(maps.Keys(also))...)
		slices.Sort(known)
		return nil, g.Errorf(": there is no module %q in this build of Caddy: write one of %s", name, strings.Join(known, ", "))
	}
	guest, err := caddyfile.UnmarshalModule(g.Dispenser, namespace+"."+name)
	if err != nil {
		return nil, err
	}
	raw := caddyconfig.JSONModuleObject(guest, "module", name, nil)
	g.places[placeKey([]string{called(raw)}, "", "")] = line
	return raw, nil
}

// Errorf reports what is wrong with the option that is being read, at its line.
// The format begins behind the option's name.
func (g *Reader) Errorf(format string, args ...any) error {
	return g.Errf("%s%s"+format, append([]any{g.prefix(), g.Name}, args...)...)
}

// Words reads at least one argument.
func (g *Reader) Words() ([]string, error) {
	var words []string
	for g.NextArg() {
		words = append(words, g.Val())
		g.places[placeKey(g.blocks, g.Name, g.Val())] = g.Token()
	}
	if len(words) == 0 {
		return nil, g.Missing()
	}
	return words, nil
}

// Missing reports an option without its argument.
func (g *Reader) Missing() error {
	return g.Errorf(" has no value: write one (a {$NAME} that is not set leaves none)")
}

// Word reads exactly one argument, which is not empty.
func (g *Reader) Word() (string, error) {
	if !g.NextArg() {
		return "", g.Missing()
	}
	word := g.Val()
	if word == "" {
		return "", g.Errorf(" is empty: write a value, or leave the line out")
	}
	return word, g.End()
}

// Optional reads at most one argument, which is not empty. The target keeps its
// value where there is none; usual says what that means.
func (g *Reader) Optional(target *string, what, usual string) error {
	if !g.NextArg() {
		return nil
	}
	if *target = g.Val(); *target == "" {
		return g.Errorf(": the %s is empty: leave it out for %s", what, usual)
	}
	return g.End()
}

// End makes sure that the line has no more arguments.
func (g *Reader) End() error {
	if g.NextArg() {
		return g.tooMany(g.Val())
	}
	return nil
}

func (g *Reader) tooMany(first string) error {
	return g.Errorf(" has one argument too many, %q: remove it, or put a text with spaces in quotes", first)
}

// duration reads a duration, with d for days, that is more than zero.
func (g *Reader) duration() (time.Duration, error) {
	word, err := g.Word()
	if err != nil {
		return 0, err
	}
	d, err := g.ParseDuration(word)
	if err == nil && d <= 0 {
		err = g.Errorf(" is %s and must be greater than zero: write it as 10s, 15m, 12h or 30d", word)
	}
	return d, err
}

// ParseDuration reads a word as a duration, with d for days; it may be zero.
func (g *Reader) ParseDuration(word string) (time.Duration, error) {
	d, err := caddy.ParseDuration(word)
	if err != nil {
		return 0, g.Errorf(": %q is not a duration: write it as 10s, 15m, 12h or 30d", word)
	}
	return d, nil
}

// NeedBlock makes sure that options follow in a block.
func (g *Reader) NeedBlock() error {
	if err := g.End(); err != nil {
		return err
	}
	ahead := *g.Dispenser
	if !ahead.NextBlock(ahead.Nesting()) {
		return g.Errorf(" has no options: write them in braces, or leave the line out")
	}
	return nil
}
