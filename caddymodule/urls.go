package caddymodule

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// parseURL checks what every configured URL has to keep to. URLs are emitted
// and compared byte for byte, so a spelling that browsers and libraries would
// change is an error here and not a riddle there.
func parseURL(raw string) (*url.URL, error) {
	if err := checkCharacters(raw); err != nil {
		return nil, err
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("is not a URL: write it as https://app.example.com/callback")
	}
	switch {
	case u.Scheme == "":
		return nil, errors.New("is not absolute: begin it with https://")
	case isWeb(u) && !strings.HasPrefix(raw, u.Scheme+":"):
		return nil, fmt.Errorf("has its scheme in capitals: write %s", u.Scheme)
	case strings.Contains(raw, "#"):
		return nil, errors.New("has a fragment: leave out everything from the # on (RFC 6749 §3.1.2)")
	case u.User != nil:
		return nil, errors.New("has a user name: leave out everything before the @")
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return nil, errors.New("has a dot segment in its path: write where it leads")
	}
	return u, nil
}

func checkCharacters(raw string) error {
	foreign := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`\"<>`, r) }
	switch {
	case raw == "":
		return errors.New("is empty: write a whole URL, such as https://app.example.com/")
	case strings.ContainsAny(raw, "{}"):
		return errors.New("holds a placeholder, which is not replaced here: write the URL, or {$NAME}, which is replaced when the Caddyfile is read")
	case strings.Contains(raw, "*"):
		return errors.New("has a wildcard: write out each URL, they are compared exactly (RFC 9700 §2.1)")
	case strings.ContainsFunc(raw, foreign):
		return errors.New("has a character that URLs cannot have: percent-encode it, and write a host in its xn-- form")
	}
	return nil
}

func isWeb(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "http" }

// checkWeb checks an http or https URL; http is for this machine only.
func checkWeb(u *url.URL) error {
	if err := checkHost(u); err != nil {
		return err
	}
	if u.Scheme == "http" && !oauth.IsLoopbackHost(u.Hostname()) {
		return errInClear
	}
	return nil
}

var errInClear = errors.New("is not encrypted: use https; http is for localhost only")

// checkHost checks the host of an http or https URL.
func checkHost(u *url.URL) error {
	host := u.Hostname()
	switch {
	case !isWeb(u):
		return fmt.Errorf("is not a web address: use https, not %s", u.Scheme)
	case u.Opaque != "" || host == "":
		return fmt.Errorf("has no host: write %s://app.example.com/", u.Scheme)
	case u.Host != strings.ToLower(u.Host):
		return fmt.Errorf("has capitals in its host: write %s", strings.ToLower(u.Host))
	case strings.HasSuffix(host, ".") || strings.HasPrefix(host, ".") || strings.Contains(host, "..") || strings.Contains(host, "%"):
		return fmt.Errorf("has no valid host: %s", u.Host)
	case strings.HasSuffix(u.Host, ":"):
		return errors.New("ends its host with a colon: add the port or leave the colon out")
	}
	return nil
}

// checkIssuer checks the issuer identifier that is the value of an option. See RFC 8414 §2.
func checkIssuer(option, issuer string) error {
	if issuer == "" {
		return grammar.Wrong(option, "it is required: the https URL of this server, such as `issuer https://auth.example.com/`")
	}
	u, err := parseURL(issuer)
	if err == nil {
		err = checkWeb(u)
	}
	switch {
	case err != nil:
	case u.RawQuery != "" || u.ForceQuery:
		err = errors.New("has a query: leave out everything from the ? on (RFC 8414 §2)")
	case strings.Contains(u.Path, "//"):
		err = errors.New("has a double slash in its path: write one")
	}
	if err != nil {
		return grammar.WrongValue(option, issuer, "%s", err)
	}
	return nil
}

// foreignSchemes are schemes that browsers and systems give a meaning of their
// own: a redirect there runs script, reads a file or reaches another program.
var foreignSchemes = []string{
	"javascript", "vbscript", "data", "blob", "filesystem", "file", "about", "view-source", "chrome", "resource",
	"ws", "wss", "ftp", "ftps", "mailto", "tel", "sms", "intent", "content", "cid", "mid", "jar", "ssh", "ldap", "urn",
}

// checkRedirect checks a URI that people are sent to at a client of the given type.
// See RFC 9700 §2.1, RFC 8252 §7. With insecure it may be http at another machine.
func checkRedirect(uri string, kind clients.Type, insecure bool) error {
	u, err := parseURL(uri)
	switch {
	case err != nil:
		return err
	case isWeb(u) && insecure:
		return checkHost(u)
	case isWeb(u):
		return orInsecure(checkWeb(u))
	case slices.Contains(foreignSchemes, u.Scheme):
		return fmt.Errorf("has the scheme %s:, which leads out of the application: use https", u.Scheme)
	case kind != clients.Native:
		return fmt.Errorf("has the scheme %s:, which only `type native` may use: use https", u.Scheme)
	}
	return nil
}

// plainScheme reports whether a URI has a scheme of the application's own that
// does not hold a domain name, and so might be another's too. See RFC 8252 §7.1.
func plainScheme(uri string) bool {
	scheme, _, _ := strings.Cut(uri, ":")
	return scheme != "https" && scheme != "http" && !strings.Contains(scheme, ".")
}

// orInsecure adds to the refusal of an http address how it can be had.
func orInsecure(err error) error {
	if errors.Is(err, errInClear) {
		return fmt.Errorf("%w; on a network of your own write `insecure_redirects` beside it", err)
	}
	return err
}

// inClear reports whether answers to an address cross a network without encryption.
func inClear(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "http" && !oauth.IsLoopbackHost(u.Hostname())
}

// checkOrigin checks the origin of pages: of a web site, or of an app in a web view or a
// browser's extension, which has a scheme of its own, such as capacitor://localhost.
func checkOrigin(origin string) error {
	if u, err := url.Parse(origin); err == nil && u.Scheme != "" && !isWeb(u) {
		if _, err := parseURL(origin); err != nil {
			return err
		}
		return checkAppOrigin(origin, u)
	}
	return checkWebOrigin(origin)
}

// checkWebOrigin checks the origin of a web site: scheme, host and port, nothing else. See RFC 6454 §6.
func checkWebOrigin(origin string) error {
	if origin == "*" || origin == "null" {
		return errors.New("is no origin: write out each one, such as https://app.example.com")
	}
	u, err := parseURL(origin)
	if err == nil {
		err = checkHost(u)
	}
	if err != nil {
		return err
	}
	if want := oauth.OriginOf(origin); origin != want {
		return fmt.Errorf("is more than an origin: write %s", want)
	}
	return checkWeb(u)
}

// checkAppOrigin checks the origin of what has a scheme of its own, which browsers write in small letters.
func checkAppOrigin(origin string, u *url.URL) error {
	switch want := strings.ToLower(u.Scheme + "://" + u.Host); {
	case slices.Contains(foreignSchemes, u.Scheme) || u.Host == "":
		return fmt.Errorf("is no origin of pages: write one such as https://app.example.com, or capacitor://localhost for an app in a web view")
	case origin != want:
		return fmt.Errorf("is more than an origin: write %s", want)
	}
	return nil
}

// checkEach checks the values of an option that is a list without repetitions.
func checkEach(option string, values []string, check func(string) error) error {
	for i, value := range values {
		err := check(value)
		if err == nil && slices.Contains(values[:i], value) {
			err = errors.New("is a duplicate: leave one out")
		}
		if err != nil {
			return grammar.WrongValue(option, value, "%s", err)
		}
	}
	return nil
}
