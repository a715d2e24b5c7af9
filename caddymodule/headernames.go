package caddymodule

import "strings"

// nameSet are headers by their names, folded as a CGI would.
type nameSet map[string]string

func (s nameSet) add(name string) { s[strings.ToLower(strings.Map(foldSign, name))] = name }

func (s nameSet) with(name string) nameSet {
	s.add(name)
	return s
}

func foldSign(c rune) rune {
	if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
		return c
	}
	return '-'
}
