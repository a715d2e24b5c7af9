package site

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
)

// WellKnown are the headers by which programs are told who somebody is. No client may send
// one to what a site guards, whether the guard sets it or not.
var WellKnown = []string{
	"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "Remote-Access-Token",
	"X-Remote-User", "X-Remote-Name", "X-Remote-Email", "X-Remote-Group", "X-Remote-Groups",
	"X-Forwarded-User", "X-Forwarded-Preferred-Username", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Access-Token",
	"X-Auth-Request-User", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Auth-Request-Access-Token",
	"X-WEBAUTH-USER", "X-WEBAUTH-NAME", "X-WEBAUTH-FULLNAME", "X-WEBAUTH-EMAIL", "X-WEBAUTH-GROUPS", "X-WEBAUTH-ROLE",
	"X-Authentik-Username", "X-Authentik-Groups", "X-Authentik-Entitlements", "X-Authentik-Email", "X-Authentik-Name", "X-Authentik-Uid", "X-Authentik-Jwt",
	"Cf-Access-Authenticated-User-Email", "Cf-Access-Jwt-Assertion", "X-Pomerium-Jwt-Assertion", "X-Pomerium-Claim-Email", "X-Pomerium-Claim-User", "X-Pomerium-Claim-Groups",
	"X-Goog-Authenticated-User-Email", "X-Goog-Authenticated-User-Id", "X-Goog-Iap-Jwt-Assertion",
	"X-Ms-Client-Principal", "X-Ms-Client-Principal-Id", "X-Ms-Client-Principal-Name", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Data", "X-Amzn-Oidc-Accesstoken",
	"Tailscale-User-Login", "Tailscale-User-Name", "X-Token-User-Email", "X-Token-User-Name", "X-Vouch-User", "X-Ssl-Client-Dn",
}

// Presets are sets of headers that well-known programs and proxies use, by their names in the
// configuration. `username` tells two people apart only where all come by one login.
var Presets = map[string][]identity.Mapping{
	"grafana": {
		{Header: "X-WEBAUTH-USER", Claim: "username"},
		{Header: "X-WEBAUTH-NAME", Claim: "name"},
		{Header: "X-WEBAUTH-EMAIL", Claim: "email"},
		{Header: "X-WEBAUTH-GROUPS", Claim: "groups"},
	},
	"gitea": {
		{Header: "X-WEBAUTH-USER", Claim: "username"}, {Header: "X-WEBAUTH-FULLNAME", Claim: "name"}, {Header: "X-WEBAUTH-EMAIL", Claim: "email"},
	},
	"remote": {
		{Header: "Remote-User", Claim: "username"},
		{Header: "Remote-Name", Claim: "name"},
		{Header: "Remote-Email", Claim: "email"},
		{Header: "Remote-Groups", Claim: "groups"},
	},
	"forwarded": {
		{Header: "X-Forwarded-User", Claim: "sub"},
		{Header: "X-Forwarded-Preferred-Username", Claim: "username"},
		{Header: "X-Forwarded-Email", Claim: "email"},
		{Header: "X-Forwarded-Groups", Claim: "groups"},
	},
}

// Assets reports whether a path is one that browsers fetch without cookies, or that robots
// read: what `public assets` means. Ours under /.well-known are not served by a site.
func Assets(path string) bool {
	switch path {
	case "/robots.txt", "/favicon.ico", "/favicon.svg", "/favicon.png", "/manifest.json", "/site.webmanifest", "/manifest.webmanifest":
		return true
	}
	name, ok := strings.CutPrefix(path, "/")
	return ok && !strings.Contains(name, "/") && strings.HasSuffix(name, ".png") &&
		(strings.HasPrefix(name, "apple-touch-icon") || strings.HasPrefix(name, "android-chrome-") || strings.HasPrefix(name, "favicon-"))
}
