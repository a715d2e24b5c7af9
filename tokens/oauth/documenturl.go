package oauth

import (
	"net/url"
	"strings"
)

// maxDocumentURL is how long the URL of a client's metadata may be, in bytes.
const maxDocumentURL = 255

// IsDocumentURL reports whether a client_id can be the URL of the client's own metadata: https,
// a host in small letters, a path, and neither user, fragment nor segments of dots. It works on
// the text, since such ids are compared as texts: what two readers could take for two
// addresses is none. See draft-ietf-oauth-client-id-metadata-document §3.
func IsDocumentURL(id string) bool {
	return plainHTTPS(id) && documentPath(id) != "/"
}

// IsDocumentPrefix reports whether a text can stand for all URLs of metadata that begin with
// it: it ends in a slash, so that none of another host, or of a name that is longer, does.
func IsDocumentPrefix(prefix string) bool {
	return plainHTTPS(prefix) && strings.HasSuffix(prefix, "/") && !strings.Contains(prefix, "?")
}

// DocumentOrigin returns the scheme, host and port of a URL for which IsDocumentURL or
// IsDocumentPrefix is true.
func DocumentOrigin(id string) string { return strings.TrimSuffix(id, documentPath(id)) }

// documentPath returns the path and query of an https URL, "" where there is none.
func documentPath(id string) string {
	rest := strings.TrimPrefix(id, "https://")
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return rest[slash:]
	}
	return ""
}

// plainHTTPS is what IsDocumentURL and IsDocumentPrefix have in common.
func plainHTTPS(id string) bool {
	if len(id) > maxDocumentURL || !strings.HasPrefix(id, "https://") || documentPath(id) == "" {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}#", c) >= 0 {
			return false
		}
	}
	u, err := url.Parse(id)
	if err != nil || u.User != nil || !plainHost(u) || "https://"+u.Host+documentPath(id) != id {
		return false
	}
	path := strings.ToLower(u.EscapedPath())
	for _, hidden := range []string{"%2f", "%5c", "%2e", "%0", "%1", "%7f"} {
		if strings.Contains(path, hidden) {
			return false
		}
	}
	return !HasDotSegments(path)
}

// plainHost reports whether a host is written in one way only.
func plainHost(u *url.URL) bool {
	name := u.Hostname()
	return name != "" && !strings.HasSuffix(name, ".") && !strings.HasSuffix(u.Host, ":") &&
		!strings.ContainsAny(u.Host, "%@") && strings.ToLower(u.Host) == u.Host
}
