package identity

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// claimText writes a claim as a header's value: "" for none, false for one
// that cannot be written without loss.
func claimText(c *verify.Claims, name string) (string, bool) {
	var text string
	switch name { // without reading the token again
	case "sub":
		text = c.Subject
	case "iss":
		text = c.Issuer
	case "client_id":
		text = c.ClientID
	default:
		v, found := c.Lookup(name)
		if !found || v == nil {
			return "", true
		}
		var ok bool
		if text, ok = valueText(v); !ok {
			return "", false
		}
	}
	return text, carriable(text)
}

// valueText writes a scalar, or a list of scalars joined by commas.
func valueText(v any) (string, bool) {
	list, ok := v.([]any)
	if !ok {
		return ScalarText(v)
	}
	parts := make([]string, len(list))
	for i, e := range list {
		if parts[i], ok = ScalarText(e); !ok || strings.Contains(parts[i], ",") {
			return "", false
		}
	}
	return strings.Join(parts, ","), true
}

// ScalarText writes a string, number or boolean.
func ScalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// carriable reports whether a value passes through HTTP as it is: printable
// ASCII without spaces around it. See RFC 9110 §5.5.
func carriable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}
