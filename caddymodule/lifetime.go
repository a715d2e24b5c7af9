package caddymodule

import (
	"bytes"
	"encoding/json"
	"math"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
)

// Lifetime is a duration, written as any duration of Caddy, or "infinite".
type Lifetime time.Duration

// Infinite is a lifetime without an end.
const Infinite Lifetime = math.MaxInt64

const infiniteWord = "infinite"

// UnmarshalJSON reads a duration or "infinite".
func (l *Lifetime) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte(`"`+infiniteWord+`"`)) {
		*l = Infinite
		return nil
	}
	return (*caddy.Duration)(l).UnmarshalJSON(b)
}

// MarshalJSON writes nanoseconds, as Caddy's durations do, or "infinite".
func (l Lifetime) MarshalJSON() ([]byte, error) {
	if l == Infinite {
		return json.Marshal(infiniteWord)
	}
	return json.Marshal(int64(l))
}

// duration returns the lifetime as the core has it, where 0 is infinite.
func (l Lifetime) duration() time.Duration {
	if l == Infinite {
		return 0
	}
	return time.Duration(l)
}

func (l Lifetime) String() string {
	if l == Infinite {
		return infiniteWord
	}
	return grammar.ShowDuration(time.Duration(l))
}

// lifetimeOption is an option with a duration or `infinite`.
func lifetimeOption(target *Lifetime) grammar.Option {
	return grammar.Option{Read: func(g *grammar.Reader) error {
		word, err := g.Word()
		if err != nil {
			return err
		}
		if word == infiniteWord {
			*target = Infinite
			return nil
		}
		d, err := g.ParseDuration(word)
		if err == nil && d <= 0 {
			err = g.Errorf(" is %s and must be greater than zero: write it as 12h or 30d, or `infinite`", word)
		}
		*target = Lifetime(d)
		return err
	}}
}

// orZero returns what p points to, or the zero value where a block is left out.
func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
