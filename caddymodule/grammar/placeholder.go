package grammar

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// placeholder matches a value that stands outside of the configuration.
var placeholder = regexp.MustCompile(`^\{(env|file)\.[^{}]+\}$`)

// IsPlaceholder reports whether a secret value is {env.NAME} or {file.PATH}.
// Anything else is the value itself, braces included.
func IsPlaceholder(value string) bool { return placeholder.MatchString(value) }

// HasPlaceholder reports whether a value holds a placeholder among other
// text, which is not replaced and most likely not meant so.
func HasPlaceholder(value string) bool {
	return !IsPlaceholder(value) && (strings.Contains(value, "{env.") || strings.Contains(value, "{file."))
}

// Resolve returns what an {env.NAME} or {file.PATH} stands for, and any other
// value as it is. Errors name the placeholder, never the value.
func Resolve(value string) (string, error) {
	if !IsPlaceholder(value) {
		return value, nil
	}
	resolved, err := caddy.NewReplacer().ReplaceOrErr(value, true, true)
	resolved = strings.TrimSpace(resolved)
	if err == nil && resolved != "" {
		return resolved, nil
	}
	if strings.HasPrefix(value, "{env.") {
		return "", fmt.Errorf("%s is not set, or empty: set the environment variable for the process of Caddy", value)
	}
	return "", fmt.Errorf("%s is empty or cannot be read: check the path and who may read the file", value)
}
