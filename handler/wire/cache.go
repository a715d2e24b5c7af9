package wire

import (
	"net/http"
	"slices"
	"strings"
)

// Vary tells caches that the answer depends on a header of the request.
func Vary(h http.Header, name string) {
	for _, line := range h["Vary"] {
		if slices.ContainsFunc(strings.Split(line, ","), func(s string) bool {
			s = strings.TrimSpace(s)
			return s == "*" || strings.EqualFold(s, name)
		}) {
			return
		}
	}
	h["Vary"] = append(h["Vary"], name)
}

// KeepPrivate makes an answer one that no shared cache keeps: to caches a request
// with a cookie, or with a header of somebody's own, is like any other (RFC 9111 §3.5 is
// about `Authorization` alone). What the answer says about the browser's own cache stays.
func KeepPrivate(h http.Header) {
	closed := false
	var kept []string
	for _, line := range h["Cache-Control"] {
		for _, directive := range directives(line) {
			name, _, qualified := strings.Cut(strings.ToLower(directive), "=")
			switch strings.TrimSpace(name) {
			case "public", "s-maxage":
				continue
			case "private":
				if qualified { // about those fields alone (RFC 9111 §5.2.2.7)
					continue
				}
				closed = true
			case "no-store":
				closed = true
			}
			kept = append(kept, directive)
		}
	}
	if !closed {
		kept = append([]string{"private"}, kept...)
	}
	h["Cache-Control"] = []string{strings.Join(kept, ", ")}
	for name := range h { // these come before Cache-Control, where they are known (RFC 9213)
		if strings.HasSuffix(name, "-Cache-Control") || name == "Surrogate-Control" || name == "X-Accel-Expires" {
			delete(h, name)
		}
	}
}

// directives splits a line of Cache-Control. A comma between quotes is part of a
// value. See RFC 9111 §5.2.
func directives(line string) []string {
	quoted := false
	list := strings.FieldsFunc(line, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == ',' && !quoted
	})
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
