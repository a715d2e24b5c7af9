package upstream

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// maxSubject is how long the ID of a person may be, in bytes (OpenID Connect Core §2).
const maxSubject = 255

// textOf returns a text, "" for any other value.
func textOf(value any) string {
	s, _ := value.(string)
	return s
}

// textsOf returns a text or a list of texts.
func textsOf(value any) ([]string, bool) {
	switch v := value.(type) {
	case string:
		return []string{v}, true
	case []any:
		list := make([]string, len(v))
		for i := range v {
			s, ok := v[i].(string)
			if !ok {
				return nil, false
			}
			list[i] = s
		}
		return list, true
	}
	return nil, false
}

// timeOf returns a NumericDate (RFC 7519 §2), zero for any other value.
func timeOf(value any) time.Time {
	n, ok := value.(json.Number)
	if !ok {
		return time.Time{}
	}
	t, err := jose.ParseNumericDate(n.String())
	if err != nil {
		return time.Time{}
	}
	return t
}

// goodID reports whether a text can be the ID of a person (M22).
func goodID(id string) bool {
	return id != "" && len(id) <= maxSubject && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// isTrue reads a flag leniently: true, "true" and 1.
func isTrue(value any) bool {
	switch v := value.(type) {
	case bool:
		return v
	case string:
		return v == "true"
	case json.Number:
		return v == "1"
	}
	return false
}

// scalarText writes a text, number or truth value as rules compare it.
func scalarText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

// notASession reports whether AD FS calls a person's security identifier a session (F66).
func notASession(sid string) bool { return strings.HasPrefix(sid, "S-1-") }
