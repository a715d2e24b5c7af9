package oauth

import (
	"net/url"
	"slices"
	"strings"
)

// barredSchemes are those that a browser or a system handles by itself, or that run what follows.
// barredFamilies are how the names of more of them begin.
var (
	barredSchemes = strings.Fields(`http https javascript livescript data vbscript vbs jscript file blob filesystem about intent
		urn tag cid mid jar ws wss ftp ftps sftp tftp gopher nntp news telnet tn3270 rlogin ssh smb cifs nfs afp dav davs vnc rdp
		mailto tel sms mms callto message webcal webcals res mhtml mk hcp its jnlp jnlps wyciwyg resource edge opera brave
		shortcuts workflow prefs help applescript package market content apt magnet`)
	barredFamilies = strings.Fields(`ms- search view- chrome moz- shell feed itms ldap x-apple x-man x-help android- app-settings app-prefs facetime`)
)

// UnregisteredRedirect reports whether a client that nobody registered may have its answers
// sent to a redirect URI, and returns the URI as it is to be kept: one of this machine
// without its port, which may be any. Such a client may have addresses of this machine, a
// scheme that is its own, and https at hosts that the operator names. It works on the text:
// what a browser could read otherwise than Go is no redirect URI. See RFC 8252 §7 and RFC
// 9700 §4.1.
func UnregisteredRedirect(uri string, hosts []string) (kept string, ok bool) {
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}#", c) >= 0 {
			return "", false
		}
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || rest == "" || !validScheme(scheme) {
		return "", false
	}
	u, err := url.Parse(uri)
	if err != nil || u.User != nil || HasDotSegments(u.EscapedPath()) {
		return "", false
	}
	switch scheme {
	case "http":
		return loopbackWithoutPort(uri, loopbackHosts)
	case "https":
		return uri, strings.HasPrefix(rest, "//"+u.Host) && u.Host != "" && slices.Contains(hosts, u.Host)
	}
	return uri, !slices.Contains(barredSchemes, scheme) && !slices.ContainsFunc(barredFamilies, func(begin string) bool { return strings.HasPrefix(scheme, begin) })
}

// validScheme reports whether a scheme is one, in small letters: schemes are compared as
// text here. See RFC 3986 §3.1.
func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter, other := 'a' <= c && c <= 'z', '0' <= c && c <= '9' || strings.IndexByte("+-.", c) >= 0
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return s != ""
}

// HasDotSegments reports whether a path has a segment that is only dots, however written:
// browsers fold it. See RFC 3986 §5.2.4.
func HasDotSegments(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		segment = strings.ReplaceAll(strings.ToLower(segment), "%2e", ".")
		if first, _, _ := strings.Cut(segment, ";"); first == "." || first == ".." {
			return true
		}
	}
	return false
}
