package upstream

import (
	"slices"
	"strings"
	"unicode"
)

// email is an address that a provider asserts.
type email struct {
	address  string // as it came; "" for none that is well formed
	domain   string // as domains are compared
	verified bool
	said     bool // there was a word on whether it is verified
}

// maxAddress is how long an address may be, in bytes (RFC 5321 §4.5.3.1.3).
const maxAddress = 254

// emailOf reads the address of a person, and whether it is theirs: the flag counts only
// beside the address that it came with (F26). Whatever cannot be read is not verified, and
// refuses nobody.
func (c *Config) emailOf(f *facts) email {
	value, _ := f.get("email")
	address := textOf(value)
	domain, ok := domainOf(address)
	if !ok {
		return email{}
	}
	folded, err := foldDomain(domain)
	if err != nil {
		return email{}
	}
	e := email{address: address, domain: folded}
	for _, claims := range []map[string]any{f.token, f.info} {
		if flag, ok := claims["email_verified"]; ok && textOf(claims["email"]) == address {
			e.verified, e.said = isTrue(flag), true
			break
		}
	}
	if c.EmailTrusted {
		e.verified, e.said = true, true
	}
	if len(c.EmailDomains) > 0 && !slices.Contains(c.EmailDomains, e.domain) {
		e.verified, e.said = false, true
	}
	return e
}

// domainOf returns what follows the one @ of an address that is well formed.
func domainOf(address string) (string, bool) {
	local, domain, ok := strings.Cut(address, "@")
	bad := func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r) || strings.ContainsRune(`<>()[]",;:\`, r)
	}
	return domain, ok && local != "" && !strings.Contains(domain, "@") && len(address) <= maxAddress && !strings.ContainsFunc(address, bad)
}

// inDomain reports whether a domain is one that a rule names, whole; `*.` means those below (F55).
func inDomain(domain, named string) bool {
	if below, ok := strings.CutPrefix(named, "*."); ok {
		return strings.HasSuffix(domain, "."+below)
	}
	return domain == named
}

// foldASCII writes an address as rules compare it: without regard to ASCII capitals.
func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
