package caddymodule

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/dustin/go-humanize"
)

// options are the words that a block knows, each with what reads the rest of its line.
type options map[string]option

// option reads the rest of an option's line. Where many is false the option
// stands once in its block.
type option struct {
	read func(g *grammar) error
	many bool
}

// hint names the options that there are.
func (o options) hint() string {
	if len(o) == 0 {
		return "there are none here, remove the braces"
	}
	if len(o) == 1 {
		return "there is only " + slices.Collect(maps.Keys(o))[0]
	}
	return "write one of " + strings.Join(slices.Sorted(maps.Keys(o)), ", ")
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

// argsOption is an option with arguments as its usage has them: `<name> <claim>`.
// Those in brackets may be missing, and one that ends in dots stands for several.
func argsOption(usage string, set func(args []string) error) option {
	most := strings.Fields(usage)
	least := len(slices.DeleteFunc(slices.Clone(most), func(arg string) bool { return arg[0] == '[' }))
	return option{read: func(g *grammar) error {
		args, err := g.words()
		switch {
		case err != nil:
			return err
		case len(args) < least:
			return g.errorf(" has too few arguments: write `%s %s`", g.name, usage)
		case len(args) > len(most) && !strings.Contains(usage, "..."):
			return g.tooMany(args[len(most)])
		case slices.Contains(args, ""):
			return g.errorf(" has an empty argument: write `%s %s`", g.name, usage)
		}
		if err := set(args); err != nil {
			return g.errorf(": %w", err)
		}
		return nil
	}}
}

// repeated returns the option as one that may stand several times in its block.
func (o option) repeated() option {
	o.many = true
	return o
}

// keywordOption is an option with one word, which switches it on.
func keywordOption(keyword string, target *bool) option {
	return option{read: func(g *grammar) error {
		word, err := g.word()
		if err == nil && word != keyword {
			err = g.errorf(": %q is not known: write `%s %s`, or leave the line out", word, g.name, keyword)
		}
		*target = true
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

// switchOption is an option with `on` or `off`.
func switchOption(target **bool) option {
	return option{read: func(g *grammar) error {
		word, err := g.word()
		if err == nil && word != "on" && word != "off" {
			err = g.errorf(": %q is not known: write on or off", word)
		}
		*target = new(word == "on")
		return err
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
			return g.errorf(": %q is not a number of 1 or more: write one such as 100", word)
		}
		*target = N(n)
		return nil
	}}
}

// sizeOption is an option with a size of memory, such as 64MiB.
func sizeOption(target *int64) option {
	return option{read: func(g *grammar) error {
		word, err := g.word()
		if err != nil {
			return err
		}
		n, err := humanize.ParseBytes(word)
		if err != nil || n == 0 || n > math.MaxInt64 {
			return g.errorf(": %q is not a size: write one such as 64MiB", word)
		}
		*target = int64(n)
		return nil
	}}
}

// blockOption is an option that is a block of options, which a value of its own takes.
func blockOption[T any](target **T, known func(*T) options) option {
	return option{read: func(g *grammar) error {
		if err := g.needBlock(); err != nil {
			return err
		}
		*target = new(T)
		return g.block(g.name, known(*target))
	}}
}
