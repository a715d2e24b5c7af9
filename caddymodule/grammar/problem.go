package grammar

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A problem is what a Check has found in the text of the configuration: where
// it stands, what is wrong and what to write instead. The grammar turns the
// place into a file and line; for JSON it is named in the message.
type problem struct {
	blocks []string // from the outside in, such as "client my-spa", "refresh_token"
	option string   // within the innermost block; "" for the block itself
	value  string   // which one of the option's values, where it has several
	text   string
}

// Error says where the problem is and how to fix it.
func (p *problem) Error() string {
	where := slices.Clone(p.blocks)
	if p.option != "" {
		where = append(where, p.option)
	}
	return strings.Join(append(where, p.text), ": ")
}

// Wrong reports a problem with an option, or with the whole block when option is "".
func Wrong(option, format string, args ...any) error {
	return &problem{option: option, text: fmt.Sprintf(format, args...)}
}

// WrongValue reports a problem with one value of an option.
func WrongValue(option, value, format string, args ...any) error {
	return &problem{option: option, value: value, text: fmt.Sprintf("%q ", redact(value)) + fmt.Sprintf(format, args...)}
}

// WrongNumber reports a problem with one of an option's values by its number, since
// the value may be a secret.
func WrongNumber(option string, number int, value string, err error) error {
	return &problem{option: option, value: value, text: fmt.Sprintf("number %d %s", number, err)}
}

// redact hides the password of a URL that has one by mistake.
func redact(value string) string {
	if u, err := url.Parse(value); err == nil && u.User != nil {
		return u.Redacted()
	}
	return value
}

// Within says in which block a problem was found.
func Within(block string, err error) error {
	var p *problem
	if !errors.As(err, &p) {
		return err
	}
	moved := *p
	moved.blocks = append([]string{block}, p.blocks...)
	return &moved
}

// FirstOf returns the first error of a list of checks.
func FirstOf(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// Title names a block of a kind, such as "client my-spa".
func Title(kind, name string) string {
	if name == "" {
		name = `""`
	}
	return kind + " " + name
}
