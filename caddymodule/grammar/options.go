package grammar

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/dustin/go-humanize"
)

// Options are the words that a block knows, each with what reads the rest of its line.
type Options map[string]Option

// Option reads the rest of an option's line. Where many is false the option
// stands once in its block.
type Option struct {
	Read func(g *Reader) error
	Many bool
}

// hint names the options that there are.
func (o Options) hint() string {
	if len(o) == 0 {
		return "there are none here, remove the braces"
	}
	if len(o) == 1 {
		return "there is only " + slices.Collect(maps.Keys(o))[0]
	}
	return "write one of " + strings.Join(slices.Sorted(maps.Keys(o)), ", ")
}

// String is an option with one argument.
func String(target *string) Option {
	return Option{Read: func(g *Reader) (err error) {
		*target, err = g.Word()
		return err
	}}
}

// List is an option with one or more arguments that may be repeated.
func List(target *[]string) Option {
	return Option{Many: true, Read: func(g *Reader) error {
		words, err := g.Words()
		*target = append(*target, words...)
		return err
	}}
}

// Lines is an option with one or more arguments that may be repeated, where each line is
// one of its own.
func Lines(target *[][]string) Option {
	return Option{Many: true, Read: func(g *Reader) error {
		words, err := g.Words()
		*target = append(*target, words)
		return err
	}}
}

// Args is an option with arguments as its usage has them: `<name> <claim>`.
// Those in brackets may be missing, and one that ends in dots stands for several.
func Args(usage string, set func(args []string) error) Option {
	most := strings.Fields(usage)
	least := len(slices.DeleteFunc(slices.Clone(most), func(arg string) bool { return arg[0] == '[' }))
	return Option{Read: func(g *Reader) error {
		args, err := g.Words()
		switch {
		case err != nil:
			return err
		case len(args) < least:
			return g.Errorf(" has too few arguments: write `%s %s`", g.Name, usage)
		case len(args) > len(most) && !strings.Contains(usage, "..."):
			return g.tooMany(args[len(most)])
		case slices.Contains(args, ""):
			return g.Errorf(" has an empty argument: write `%s %s`", g.Name, usage)
		}
		if err := set(args); err != nil {
			return g.Errorf(": %w", err)
		}
		return nil
	}}
}

// Repeated returns the option as one that may stand several times in its block.
func (o Option) Repeated() Option {
	o.Many = true
	return o
}

// Keyword is an option with one word, which switches it on.
func Keyword(keyword string, target *bool) Option {
	return Option{Read: func(g *Reader) error {
		word, err := g.Word()
		if err == nil && word != keyword {
			err = g.Errorf(": %q is not known: write `%s %s`, or leave the line out", word, g.Name, keyword)
		}
		*target = true
		return err
	}}
}

// Duration is an option with a duration.
func Duration(target *caddy.Duration) Option {
	return Option{Read: func(g *Reader) error {
		d, err := g.duration()
		*target = caddy.Duration(d)
		return err
	}}
}

// DurationFrom0 is an option with a duration that may be zero, which is not the default.
func DurationFrom0(target **caddy.Duration) Option {
	return Option{Read: func(g *Reader) error {
		word, err := g.Word()
		if err != nil {
			return err
		}
		d, err := g.ParseDuration(word)
		*target = new(caddy.Duration(d))
		return err
	}}
}

// Switch is an option with `on` or `off`.
func Switch(target **bool) Option {
	return Option{Read: func(g *Reader) error {
		word, err := g.Word()
		if err == nil && word != "on" && word != "off" {
			err = g.Errorf(": %q is not known: write on or off", word)
		}
		*target = new(word == "on")
		return err
	}}
}

// Flag is an option without arguments.
func Flag(target *bool) Option {
	return Option{Read: func(g *Reader) error {
		*target = true
		return g.End()
	}}
}

// Count is an option with a whole number above zero.
func Count[N int | int64](target *N) Option {
	return Option{Read: func(g *Reader) error {
		word, err := g.Word()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(word, 10, 32)
		if err != nil || n < 1 {
			return g.Errorf(": %q is not a number of 1 or more: write one such as 100", word)
		}
		*target = N(n)
		return nil
	}}
}

// Size is an option with a size of memory, such as 64MiB.
func Size(target *int64) Option {
	return Option{Read: func(g *Reader) error {
		word, err := g.Word()
		if err != nil {
			return err
		}
		n, err := humanize.ParseBytes(word)
		if err != nil || n == 0 || n > math.MaxInt64 {
			return g.Errorf(": %q is not a size: write one such as 64MiB", word)
		}
		*target = int64(n)
		return nil
	}}
}

// Block is an option that is a block of options, which a value of its own takes.
func Block[T any](target **T, known func(*T) Options) Option {
	return Option{Read: func(g *Reader) error {
		if err := g.NeedBlock(); err != nil {
			return err
		}
		*target = new(T)
		return g.ReadBlock(g.Name, known(*target))
	}}
}
