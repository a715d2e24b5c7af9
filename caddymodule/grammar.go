package caddymodule

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// grammar reads a block of options and remembers where each stands, so that
// what Check finds is reported at its line.
type grammar struct {
	*caddyfile.Dispenser

	blocks []string // as in problem
	places map[string]caddyfile.Token
	name   string // of the option that is being read
}

// newGrammar begins at the name of a directive or module; errors call it name.
func newGrammar(d *caddyfile.Dispenser, name string) *grammar {
	d.Next()
	return &grammar{Dispenser: d, name: name, places: make(map[string]caddyfile.Token)}
}

// directive reads the options of a directive that takes no arguments.
func (g *grammar) directive(known options) error {
	g.places[placeKey(nil, "", "")] = g.Token()
	if err := g.end(); err != nil {
		return err
	}
	return g.read(known)
}

// block reads the options of a block that Check knows by its title.
func (g *grammar) block(title string, known options) error {
	g.blocks = append(g.blocks, title)
	g.places[placeKey(g.blocks, "", "")] = g.Token()
	defer func() { g.blocks = g.blocks[:len(g.blocks)-1] }()
	return g.read(known)
}

// read reads options up to the end of the block that opens on this line, if one does.
func (g *grammar) read(known options) error {
	outer := g.name
	defer func() { g.name = outer }()

	seen := make(map[string]bool)
	for nesting := g.Nesting(); g.NextBlock(nesting); {
		word := g.Val()
		if word == "{" && g.name != "" && g.name != outer {
			return g.Errf("%s takes no block: remove the braces", g.name)
		}
		opt, ok := known[word]
		if !ok {
			return g.Errf("%sunknown option %q: %s", g.prefix(), word, known.hint())
		}
		if seen[word] && !opt.many {
			return g.Errf("%sduplicate option %s: keep one, with all that belongs to it", g.prefix(), word)
		}
		seen[word] = true
		g.name = word
		g.places[placeKey(g.blocks, g.name, "")] = g.Token()
		if err := opt.read(g); err != nil {
			return err
		}
	}
	return nil
}

// prefix names the blocks around the current token.
func (g *grammar) prefix() string {
	if len(g.blocks) == 0 {
		return ""
	}
	return strings.Join(g.blocks, ": ") + ": "
}

func placeKey(blocks []string, option, value string) string {
	return strings.Join(append(slices.Clone(blocks), option, value), "\x00")
}

// located adds file and line to what a Check has found: of the value, or else
// of the option, or else of the block.
func (g *grammar) located(err error) error {
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

// module reads a guest module of a namespace, which reads the rest of the line and
// its block by itself. What a Check says of the block that called returns is then
// reported at the module's line.
func (g *grammar) module(namespace string, called func(json.RawMessage) string) (json.RawMessage, error) {
	line := g.Token()
	if !g.NextArg() {
		return nil, g.missing()
	}
	name := g.Val()
	var known []string
	for _, m := range caddy.GetModules(namespace) {
		known = append(known, m.ID.Name())
	}
	if !slices.Contains(known, name) {
		return nil, g.errorf(": there is no module %q in this build of Caddy: write one of %s", name, strings.Join(known, ", "))
	}
	guest, err := caddyfile.UnmarshalModule(g.Dispenser, namespace+"."+name)
	if err != nil {
		return nil, err
	}
	raw := caddyconfig.JSONModuleObject(guest, "module", name, nil)
	g.places[placeKey([]string{called(raw)}, "", "")] = line
	return raw, nil
}

// errorf reports what is wrong with the option that is being read, at its line.
// The format begins behind the option's name.
func (g *grammar) errorf(format string, args ...any) error {
	return g.Errf("%s%s"+format, append([]any{g.prefix(), g.name}, args...)...)
}

// words reads at least one argument.
func (g *grammar) words() ([]string, error) {
	var words []string
	for g.NextArg() {
		words = append(words, g.Val())
		g.places[placeKey(g.blocks, g.name, g.Val())] = g.Token()
	}
	if len(words) == 0 {
		return nil, g.missing()
	}
	return words, nil
}

// missing reports an option without its argument.
func (g *grammar) missing() error {
	return g.errorf(" has no value: write one (a {$NAME} that is not set leaves none)")
}

// word reads exactly one argument, which is not empty.
func (g *grammar) word() (string, error) {
	if !g.NextArg() {
		return "", g.missing()
	}
	word := g.Val()
	if word == "" {
		return "", g.errorf(" is empty: write a value, or leave the line out")
	}
	return word, g.end()
}

// optional reads at most one argument, which is not empty. The target keeps its
// value where there is none; usual says what that means.
func (g *grammar) optional(target *string, what, usual string) error {
	if !g.NextArg() {
		return nil
	}
	if *target = g.Val(); *target == "" {
		return g.errorf(": the %s is empty: leave it out for %s", what, usual)
	}
	return g.end()
}

// end makes sure that the line has no more arguments.
func (g *grammar) end() error {
	if g.NextArg() {
		return g.tooMany(g.Val())
	}
	return nil
}

func (g *grammar) tooMany(first string) error {
	return g.errorf(" has one argument too many, %q: remove it, or put a text with spaces in quotes", first)
}

// duration reads a duration, with d for days, that is more than zero.
func (g *grammar) duration() (time.Duration, error) {
	word, err := g.word()
	if err != nil {
		return 0, err
	}
	d, err := g.parseDuration(word)
	if err == nil && d <= 0 {
		err = g.errorf(" is %s and must be greater than zero: write it as 10s, 15m, 12h or 30d", word)
	}
	return d, err
}

func (g *grammar) parseDuration(word string) (time.Duration, error) {
	d, err := caddy.ParseDuration(word)
	if err != nil {
		return 0, g.errorf(": %q is not a duration: write it as 10s, 15m, 12h or 30d", word)
	}
	return d, nil
}

// needBlock makes sure that options follow in a block.
func (g *grammar) needBlock() error {
	if err := g.end(); err != nil {
		return err
	}
	ahead := *g.Dispenser
	if !ahead.NextBlock(ahead.Nesting()) {
		return g.errorf(" has no options: write them in braces, or leave the line out")
	}
	return nil
}
