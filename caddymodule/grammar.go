package caddymodule

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// options are the words that a block knows, each with what reads the rest of its line.
type options map[string]option

// option reads the rest of an option's line. Where many is false the option
// stands once in its block.
type option struct {
	read func(g *grammar) error
	many bool
}

// grammar reads a block of options and remembers where each stands, so that
// what Check finds is reported at its line.
type grammar struct {
	*caddyfile.Dispenser

	blocks []string // as in problem
	places map[string]caddyfile.Token
	name   string // of the option that is being read
}

func newGrammar(d *caddyfile.Dispenser) *grammar {
	return &grammar{Dispenser: d, places: make(map[string]caddyfile.Token)}
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
			return g.Errf("%sunknown option %q: write one of %s", g.prefix(), word, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if seen[word] && !opt.many {
			return g.Errf("%s%s is there twice: keep one, with all that belongs to it", g.prefix(), word)
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
	return g.Errf("%s%s has no value: write one (a {$NAME} that is not set leaves none)", g.prefix(), g.name)
}

// word reads exactly one argument, which is not empty.
func (g *grammar) word() (string, error) {
	if !g.NextArg() {
		return "", g.missing()
	}
	word := g.Val()
	if word == "" {
		return "", g.Errf("%s%s is empty: write a value, or leave the line out", g.prefix(), g.name)
	}
	return word, g.end()
}

// end makes sure that the line has no more arguments.
func (g *grammar) end() error {
	if g.NextArg() {
		return g.Errf("%s%s has one argument too many, %q: remove it, or put a text with spaces in quotes", g.prefix(), g.name, g.Val())
	}
	return nil
}

// duration reads a duration, with d for days, that is more than zero.
func (g *grammar) duration() (time.Duration, error) {
	word, err := g.word()
	if err != nil {
		return 0, err
	}
	d, err := g.parseDuration(word)
	if err == nil && d <= 0 {
		err = g.Errf("%s%s is %s, which is no time at all: write more, such as 10m", g.prefix(), g.name, word)
	}
	return d, err
}

func (g *grammar) parseDuration(word string) (time.Duration, error) {
	d, err := caddy.ParseDuration(word)
	if err != nil {
		return 0, g.Errf("%s%s: %q is not a duration: write it as 10s, 15m, 12h or 30d", g.prefix(), g.name, word)
	}
	return d, nil
}

// stringOption is an option with one argument.
func stringOption(target *string) option {
	return option{read: func(g *grammar) (err error) {
		*target, err = g.word()
		return err
	}}
}

// listOption is an option with one or more arguments that may be repeated.
func listOption(target *[]string) option {
	return option{many: true, read: func(g *grammar) error {
		words, err := g.words()
		*target = append(*target, words...)
		return err
	}}
}

// durationOption is an option with a duration.
func durationOption(target *caddy.Duration) option {
	return option{read: func(g *grammar) error {
		d, err := g.duration()
		*target = caddy.Duration(d)
		return err
	}}
}

// lifetimeOption is an option with a duration or `infinite`.
func lifetimeOption(target *Lifetime) option {
	return option{read: func(g *grammar) error {
		word, err := g.word()
		if err != nil {
			return err
		}
		if word == infiniteWord {
			*target = Infinite
			return nil
		}
		d, err := g.parseDuration(word)
		if err == nil && d <= 0 {
			err = g.Errf("%s%s is %s, which is no time at all: write more, such as 30d, or `infinite`", g.prefix(), g.name, word)
		}
		*target = Lifetime(d)
		return err
	}}
}

// switchOption is an option with `on` or `off`.
func switchOption(target **bool) option {
	return option{read: func(g *grammar) error {
		word, err := g.word()
		if err != nil {
			return err
		}
		if word != "on" && word != "off" {
			return g.Errf("%s%s: %q is not known: write on or off", g.prefix(), g.name, word)
		}
		*target = new(word == "on")
		return nil
	}}
}

// flagOption is an option without arguments.
func flagOption(target *bool) option {
	return option{read: func(g *grammar) error {
		*target = true
		return g.end()
	}}
}

// countOption is an option with a whole number above zero.
func countOption[N int | int64](target *N) option {
	return option{read: func(g *grammar) error {
		word, err := g.word()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(word, 10, 32)
		if err != nil || n < 1 {
			return g.Errf("%s%s: %q is not a number of 1 or more: write one such as 100", g.prefix(), g.name, word)
		}
		*target = N(n)
		return nil
	}}
}

// needBlock makes sure that options follow in a block.
func (g *grammar) needBlock() error {
	if err := g.end(); err != nil {
		return err
	}
	ahead := *g.Dispenser
	if !ahead.NextBlock(ahead.Nesting()) {
		return g.Errf("%s%s has no options: write them in braces, or leave the line out", g.prefix(), g.name)
	}
	return nil
}

// blockOption is an option that is a block of options.
func blockOption(known func() options) option {
	return option{read: func(g *grammar) error {
		if err := g.needBlock(); err != nil {
			return err
		}
		return g.block(g.name, known())
	}}
}
