package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// fronts are the proxies of docs/proxy.md that end TLS for a gateway whose issuer has a path.
// What they are given: their port, the folder with cert.pem and key.pem, and who is behind them.
var fronts = map[string]func(t *testing.T, caddy, folder string, port int, gateway, pages string){
	"Caddy": func(t *testing.T, caddy, folder string, port int, gateway, pages string) {
		runCaddy(t, caddy, folder, fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https disable_redirects
	default_bind 127.0.0.1
	storage file_system %s/front
}
`, folder)+block(t, "<!-- front -->\n```caddyfile\n",
			"www.example.com {", fmt.Sprintf("https://localhost:%d {\n\ttls %[2]s/cert.pem %[2]s/key.pem", port, folder), "gateway:8080", gateway, "pages:8080", pages))
	},
	"nginx": func(t *testing.T, _, folder string, port int, gateway, _ string) {
		nginx, err := exec.LookPath("nginx")
		if err != nil {
			nginx = "/usr/sbin/nginx" // which is in the PATH of root alone
		}
		file := filepath.Join(folder, "nginx.conf")
		if err := os.WriteFile(file, fmt.Appendf(nil, `daemon off; worker_processes 1; pid %[1]s/nginx.pid; error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
%[2]s}
`, folder, block(t, "```nginx\n",
			"listen 443", fmt.Sprintf("listen 127.0.0.1:%d", port), "www.example.com;", "localhost;", "/etc/nginx/www.example.com.pem", folder+"/cert.pem",
			"/etc/nginx/www.example.com.key", folder+"/key.pem", "gateway:8080", gateway)), 0o600); err != nil {
			t.Fatal(err)
		}
		runUntilTheEnd(t, folder, nginx, "-c", file, "-p", folder, "-e", "stderr")
	},
}

// block is what docs/proxy.md shows behind a line, with other names for some of its names, each
// of which has to be there.
func block(t *testing.T, behind string, names ...string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), behind)
	text, _, ends := strings.Cut(text, "```\n")
	if !found || !ends {
		t.Fatalf("docs/proxy.md has no block behind %q", behind)
	}
	for i := 0; i < len(names); i += 2 {
		if !strings.Contains(text, names[i]) {
			t.Fatalf("the block of docs/proxy.md has no %q:\n%s", names[i], text)
		}
		text = strings.ReplaceAll(text, names[i], names[i+1])
	}
	return text
}

// TestO11PathIssuerBehindAnother: row O11: an issuer with a path, of which another Caddy, or nginx,
// ends TLS: a program signs somebody in, has its tokens and refreshes them, and the other paths
// of the site are somebody else's.
func TestO11PathIssuerBehindAnother(t *testing.T) {
	caddy := theCaddy(t)
	for name, front := range fronts {
		t.Run(name, func(t *testing.T) {
			port, inside := redistest.FreePort(t), redistest.FreePort(t)
			site, folder, behind := fmt.Sprintf("https://localhost:%d", port), t.TempDir(), t.TempDir()
			pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pages") }))
			t.Cleanup(pages.Close)
			g := &gateway{issuer: site + "/auth/", browser: trusting(t, folder)}
			runCaddy(t, caddy, behind, g.behind(t, behind, inside))
			ready(t, g.browser, fmt.Sprintf("http://localhost:%d/auth/oauth/health", inside))
			front(t, caddy, folder, port, fmt.Sprintf("localhost:%d", inside), strings.TrimPrefix(pages.URL, "http://"))
			ready(t, g.browser, g.issuer+".well-known/openid-configuration")

			get(t, g.browser, site+"/.well-known/oauth-authorization-server/auth") // RFC 8414 §3.1
			if name == "Caddy" {
				if _, page := get(t, g.browser, site+"/"); page != "pages" {
					t.Errorf("the rest of the site answered %q", page)
				}
			}
			g.signInAndRefresh(t)
		})
	}
}

// signInAndRefresh does what TestGoClient does, as far as proxies could break it.
func (g *gateway) signInAndRefresh(t *testing.T) {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), g.browser)
	provider, err := oidc.NewProvider(ctx, g.issuer)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan url.Values, 1)
	callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { answers <- r.URL.Query() }))
	t.Cleanup(callback.Close)
	config := &oauth2.Config{
		ClientID: "my-spa", Endpoint: provider.Endpoint(), RedirectURL: callback.URL + "/callback",
		Scopes: []string{oidc.ScopeOpenID, oidc.ScopeOfflineAccess},
	}
	verifier := oauth2.GenerateVerifier()
	g.login(t, config.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier)))
	first, err := config.Exchange(ctx, (<-answers).Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	second, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: first.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	person, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(second))
	if err != nil || person.Subject != "local|alice" {
		t.Errorf("userinfo: %+v, %v", person, err)
	}
}

// behind is the configuration of the gateway behind a proxy.
func (g *gateway) behind(t *testing.T, folder string, port int) string {
	t.Helper()
	users := filepath.Join(folder, "users.htpasswd")
	if err := os.WriteFile(users, []byte("alice:"+aliceHash+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return block(t, "<!-- gateway -->\n```caddyfile\n",
		"auto_https off", "auto_https off\n\tadmin off\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n\tstorage file_system "+folder+"/caddy",
		"https://www.example.com/auth/", g.issuer, "/etc/caddy/users.htpasswd", users, "api https://api.example.com\n", "api https://api.example.com {\n\t\t\tallow_offline_access\n\t\t}\n",
		"type spa", "type native", "https://app.example.com/callback", "http://127.0.0.1/callback", "http://www.example.com:8080", fmt.Sprintf("http://localhost:%d", port))
}

// trusting writes a certificate of localhost into a folder, and returns a client that trusts it.
func trusting(t *testing.T, folder string) *http.Client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}
