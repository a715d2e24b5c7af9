package caddymodule

import (
	"errors"
	"regexp"

	"github.com/gatehouse-auth/gatehouse/tokens/people"
)

// anyPlaceholder matches a placeholder of Caddy's, wherever it stands. What is
// in braces without a dot may be meant, such as a GUID.
var anyPlaceholder = regexp.MustCompile(`\{[a-zA-Z_]+\.[^{}]*\}`)

// writtenOut refuses a placeholder where none is replaced.
func writtenOut(text string) error {
	if anyPlaceholder.MatchString(text) {
		return errors.New("holds a placeholder, which is not replaced here: write it out, or write {$NAME}, which is replaced when the Caddyfile is read")
	}
	return nil
}

// plainText refuses an empty value, and a placeholder.
func plainText(value string) error {
	if value == "" {
		return errors.New("is empty: write a value, or leave it out")
	}
	return writtenOut(value)
}

// checkGroupName checks the name of a group, of ours or of a provider.
func checkGroupName(name string) error {
	if err := people.CheckGroup(name); err != nil {
		return err
	}
	return writtenOut(name)
}
