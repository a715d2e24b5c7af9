package gatehouse_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"golang.org/x/crypto/bcrypt"

	_ "github.com/gatehouse-auth/gatehouse"
)

// adaptBlock adapts a Caddyfile of a page, which has to be without warnings.
func adaptBlock(t *testing.T, name, block string) []byte {
	t.Helper()
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(block), map[string]any{"filename": name})
	if err != nil {
		t.Errorf("%s: %v in\n%s", name, err, block)
	}
	for _, w := range warnings {
		t.Errorf("%s: warning: %s in\n%s", name, w.Message, block)
	}
	return config
}

// TestDocumentedCaddyfiles adapts every Caddyfile that the pages show, as it stands there.
func TestDocumentedCaddyfiles(t *testing.T) {
	found := 0
	for name, text := range documentation(t) {
		for _, block := range snippets(text, "caddyfile") {
			found++
			adaptBlock(t, name, block)
		}
	}
	if found < 80 {
		t.Errorf("found %d Caddyfiles", found)
	}
}

// TestDocumentedCaddyfilesLoad provisions every Caddyfile that the pages show, as `caddy validate`
// does. What a block takes from its reader's machine is there: files, secrets, and where a page
// shows a site alone, the server beside it.
func TestDocumentedCaddyfilesLoad(t *testing.T) {
	w := newReader(t)
	for name, text := range documentation(t) {
		for _, block := range snippets(text, "caddyfile") {
			var cfg *caddy.Config
			config := adaptBlock(t, name, w.whole(block))
			if err := json.Unmarshal(config, &cfg); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			cfg.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "ERROR"}}}}
			if err := caddy.Validate(cfg); err != nil {
				t.Errorf("%s: %v in\n%s", name, err, w.whole(block))
			}
		}
	}
}

// reader is somebody who tries the Caddyfiles of the pages.
type reader struct {
	files *strings.Replacer
}

// newReader has the files and the environment that the pages speak of.
func newReader(t *testing.T) *reader {
	t.Helper()
	dir := t.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte("wonderland"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, public := newCertificate(t)
	for name, text := range map[string]string{
		"users.htpasswd": "bob:" + string(hash) + "\n", "people.json": `{"bob": {"groups": ["staff"]}}`,
		"redis-ca.pem": certificate, "clients.pem": certificate, "ca.crt": certificate,
		"AuthKey_ABC123DEFG.p8": key, "partner.pem": public, "billing-job.pem": public, "billing-job-next.pem": public,
		"token": "a token", "pages/de.json": "{}", "gatehouse_secret": strings.Repeat("s", 48), "redis_password": "redis",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range documentation(t) {
		for _, m := range regexp.MustCompile(`\{env\.([A-Z_]+)\}`).FindAllStringSubmatch(text, -1) {
			value := strings.Repeat("s", 48)
			switch {
			case strings.HasSuffix(m[1], "HASH"):
				value = string(hash)
			case strings.HasSuffix(m[1], "URL"):
				value = "https://alerts.example.com/"
			}
			t.Setenv(m[1], value)
		}
	}
	return &reader{strings.NewReplacer(
		"/etc/gatehouse/", dir+"/", "/etc/caddy/", dir+"/", "/run/secrets/", dir+"/", "/var/run/secrets/kubernetes.io/serviceaccount/", dir+"/",
		"users_file users.htpasswd", "users_file "+dir+"/users.htpasswd",
	)}
}

var audienceOf = regexp.MustCompile(`(?m)^\s*(?:audience|upstream_token|bearer) ((?:\S+ ?)+)`)

// whole is a block with what it leaves to the reader: a server beside a guard.
func (w *reader) whole(block string) string {
	block = w.files.Replace(block)
	global, hasGlobal := strings.CutPrefix(block, "{\n")
	guards := strings.Contains(block, "bearer_auth") && !strings.Contains(block, "issuer https") && !strings.Contains(block, "issuer partner") || strings.Contains(block, "require_login")
	if strings.Contains(block, "\toauth {") || !guards && !strings.Contains(block, "oauth_server") {
		return block
	}
	server := "\toauth {\n\t\tissuer https://auth.example.com/\n\t\tlogin local {\n\t\t\tuser alice {env.ALICE_HASH} {\n\t\t\t\tgroups staff editors\n\t\t\t}\n\t\t}\n"
	seen := make(map[string]bool)
	for _, m := range audienceOf.FindAllStringSubmatch(block, -1) {
		id, _, _ := strings.Cut(m[1], " ")
		if !seen[id] {
			server += "\t\tapi " + id + " {\n\t\t\tscopes orders:read orders:write\n\t\t\ttoken_claims groups\n\t\t}\n"
		}
		seen[id] = true
	}
	server += "\t}\n"
	if hasGlobal {
		return "{\n" + server + global
	}
	return "{\n" + server + "}\n\nauth.example.com {\n\toauth_server\n}\n\n" + block
}
