package oauth

import (
	"slices"
	"testing"
)

func TestParseScope(t *testing.T) {
	tests := []struct {
		name, scope string
		want        []string
		ok          bool
	}{
		{"empty", "", nil, true},
		{"one", "read", []string{"read"}, true},
		{"order kept", "b a", []string{"b", "a"}, true},
		{"repeated", "a b a", []string{"a", "b"}, true},
		{"case differs", "a A", []string{"a", "A"}, true},
		// S8: what clients send is read as a list.
		{"two spaces", "a  b", []string{"a", "b"}, true},
		{"leading space", " a", []string{"a"}, true},
		{"trailing space", "openid profile ", []string{"openid", "profile"}, true},
		{"tab", "a\tb", []string{"a", "b"}, true},
		{"lines", "\r\na\r\nb\n", []string{"a", "b"}, true},
		{"white space alone", " \t ", nil, true},
		{"no-break space", "a\u00a0b", nil, false},
		{"next line", "a\u0085b", nil, false},
		{"NUL", "a\x00b", nil, false},
		{"quote", `a"b`, nil, false},
		{"backslash", `a\b`, nil, false},
		{"non-ASCII", "é", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseScope(tt.scope)
			if ok != tt.ok || !slices.Equal(got, tt.want) {
				t.Errorf("ParseScope(%q) = %q, %v; want %q, %v", tt.scope, got, ok, tt.want, tt.ok)
			}
		})
	}
}
