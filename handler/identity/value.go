package identity

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Lookup is verify.Claims.Lookup, but for an `email` that is not verified, which is not there:
// whoever is told of it would take one person for another. No header, placeholder or rule has it.
func Lookup(c *verify.Claims, path string) (any, bool) {
	if path == "email" && !verified(c) {
		return nil, false
	}
	return c.Lookup(path)
}

// verified reports whether nobody else's address can be the `email` of the claims. Tokens of
// this gateway say of each address that is verified that it is; other issuers may not say it,
// and are taken at their word unless they say that it is not. See OpenID Connect Core §5.7.
func verified(c *verify.Claims) bool {
	said, _ := c.Lookup("email_verified")
	if c.Foreign() {
		return said != false && said != "false"
	}
	return said == true
}

// claimText writes a claim as a header's value, "" for none.
func claimText(c *verify.Claims, name string, encoding Encoding) string {
	switch name { // without reading the token again
	case "sub":
		return encoding.text(c.Subject)
	case "iss":
		return encoding.text(c.Issuer)
	case "client_id":
		return encoding.text(c.ClientID)
	}
	value, _ := Lookup(c, name)
	return valueText(value, encoding)
}

// valueText writes a value, the elements of a list joined by commas.
func valueText(value any, encoding Encoding) string {
	switch value := value.(type) {
	case nil:
		return ""
	case []any:
		parts := make([]string, len(value))
		for i, element := range value {
			parts[i] = encoding.element(anyText(element))
		}
		return strings.Join(parts, ",")
	default:
		return encoding.text(anyText(value))
	}
}

// anyText writes a scalar as it is, and anything else as JSON.
func anyText(value any) string {
	if text, ok := ScalarText(value); ok {
		return text
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return ""
	}
	return strings.TrimSuffix(text.String(), "\n")
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
