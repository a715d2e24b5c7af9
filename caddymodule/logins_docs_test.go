package caddymodule

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// loginsOfTheDocs are the providers of docs/logins.md by the titles of their sections: the
// issuer that the block ends up with, the mark, and what it warns of.
var loginsOfTheDocs = map[string]struct{ issuer, mark, warns string }{
	"Google":             {"https://accounts.google.com", "Documented", ""},
	"Entra":              {"https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0", "Documented", ""},
	"Okta":               {"https://example.okta.com", "Documented", ""},
	"Auth0":              {"https://tenant.eu.auth0.com/", "Documented", ""},
	"Keycloak":           {"https://id.example.com/realms/staff", "Tried", ""},
	"Apple":              {"https://appleid.apple.com", "Documented", ""},
	"GitHub":             {"https://github.com", "Documented", ""},
	"GitLab":             {"https://gitlab.com", "Documented", ""},
	"Dex":                {"https://dex.example.com", "Documented", ""},
	"authentik":          {"https://authentik.example.com/application/o/gatehouse/", "Documented", ""},
	"Authelia":           {"https://auth.example.net", "Documented", ""},
	"Zitadel":            {"https://example.zitadel.cloud", "Documented", ""},
	"Kanidm":             {"https://idm.example.com/oauth2/openid/gatehouse", "Documented", ""},
	"Pocket ID":          {"https://id.example.net", "Documented", ""},
	"Cognito":            {"https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI", "Documented", ""},
	"AD FS":              {"https://adfs.example.com/adfs", "Documented", ""},
	"JumpCloud":          {"https://oauth.id.jumpcloud.com/", "Documented", ""},
	"OneLogin":           {"https://example.onelogin.com/oidc/2", "Documented", ""},
	"LinkedIn":           {"https://www.linkedin.com/oauth", "Documented", "without PKCE and without a nonce"},
	"Slack":              {"https://slack.com", "Documented", ""},
	"Another Gatehouse":  {"https://auth.example.net/", "Tried", ""},
	"node oidc-provider": {"https://id.example.net", "Tried", ""},
}

// TestLoginsOfTheDocs: the block that docs/logins.md shows for each provider becomes a login
// there, whose redirect URI is the one beside it, and warns of nothing that the page keeps quiet about.
func TestLoginsOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/logins.md")
	if err != nil {
		t.Fatal(err)
	}
	_, all, _ := strings.Cut(string(page), "\n## Providers\n")
	sections := strings.Split(all, "\n### ")[1:]
	if len(sections) != len(loginsOfTheDocs) {
		t.Errorf("%d providers, want %d", len(sections), len(loginsOfTheDocs))
	}
	for _, section := range sections {
		title, text, _ := strings.Cut(section, "\n")
		t.Run(title, func(t *testing.T) {
			want, ok := loginsOfTheDocs[title]
			if !ok {
				t.Fatal("who is that?")
			}
			_, block, _ := strings.Cut(text, "```caddyfile\n")
			block, notes, _ := strings.Cut(block, "```\n")
			login, name, issuer := loginOfBlock(t, block)
			if issuer != want.issuer {
				t.Errorf("the issuer is %s, want %s", issuer, want.issuer)
			}
			if found := strings.Join(login.findings(), "\n"); (found == "") != (want.warns == "") || !strings.Contains(found, want.warns) {
				t.Errorf("it warns: %q, want %q", found, want.warns)
			}
			if !strings.HasPrefix(text, "\n**"+want.mark+".** Redirect URI: `https://auth.example.com/callback/"+name+"`\n") {
				t.Errorf("the mark or the redirect URI of %s is another:%.120s", name, text)
			}
			for _, word := range []string{"Subject:", "Recheck:", "roups:"} {
				if !strings.Contains(notes, word) && !strings.Contains(notes, "E-mail, groups") && !strings.Contains(notes, "E-mail and groups") {
					t.Errorf("nothing is said of %s", word)
				}
			}
		})
	}
}

// loginOfBlock adapts a Caddyfile with one login, as Caddy does, and makes the login of it.
func loginOfBlock(t *testing.T, block string) (login finder, name, issuer string) {
	t.Helper()
	adapted := adapt(t, strings.TrimSpace(block))
	var cfg caddy.Config
	if err := json.Unmarshal([]byte(adapted), &cfg); err != nil {
		t.Fatalf("%v: %s", err, adapted)
	}
	var a App
	if err := caddy.StrictUnmarshalJSON(cfg.AppsRaw["oauth"], &a); err != nil || a.Check() != nil || len(a.LoginsRaw) != 1 {
		t.Fatalf("%v, %v, %d logins", err, a.Check(), len(a.LoginsRaw))
	}
	raw := readAnyLogin(a.LoginsRaw[0])
	var fields map[string]any
	if err := json.Unmarshal(a.LoginsRaw[0], &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "module")
	plain := caddyconfig.JSON(fields, nil)
	if raw.Module == "github" {
		l := new(GitHubLogin)
		if err := caddy.StrictUnmarshalJSON(plain, l); err != nil || l.Check() != nil {
			t.Fatalf("%v, %v", err, l.Check())
		}
		if _, err := l.Login(nil); err != nil {
			t.Fatal(err)
		}
		return l, raw.Name, raw.Issuer
	}
	l := new(OIDCLogin)
	if err := caddy.StrictUnmarshalJSON(plain, l); err != nil || l.Check() != nil {
		t.Fatalf("%v, %v", err, l.Check())
	}
	made, err := l.Login(nil)
	if err != nil {
		t.Fatal(err)
	}
	if made.Name() != raw.Name || !slices.Contains(l.core(nil).Scopes, "openid") {
		t.Errorf("it is %s", made.Name())
	}
	return l, raw.Name, l.Issuer
}
