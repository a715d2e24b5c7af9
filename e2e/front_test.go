package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// fronts are proxies that end TLS for a gateway whose issuer has a path, as docs/running.md
// shows them. What they are given: their port, the folder with cert.pem and key.pem, the gateway's port.
var fronts = map[string]func(t *testing.T, caddy, folder string, port, gateway int){
	"Caddy": func(t *testing.T, caddy, folder string, port, gateway int) {
		runCaddy(t, caddy, folder, fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https disable_redirects
	default_bind 127.0.0.1
	storage file_system %[1]s/front
}
https://localhost:%[2]d {
	tls %[1]s/cert.pem %[1]s/key.pem
	reverse_proxy localhost:%[3]d
}
`, folder, port, gateway))
	},
	"nginx": func(t *testing.T, _, folder string, port, gateway int) {
		nginx, err := exec.LookPath("nginx")
		if err != nil {
			nginx = "/usr/sbin/nginx" // which is in the PATH of root alone
		}
		locations := ""
		for _, path := range []string{"/auth/", "/.well-known/"} {
			locations += fmt.Sprintf("location %s { proxy_pass http://127.0.0.1:%d; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme; "+
				"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }\n", path, gateway)
		}
		file := filepath.Join(folder, "nginx.conf")
		if err := os.WriteFile(file, []byte(fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/nginx.pid; error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:%[2]d ssl;
		server_name localhost;
		ssl_certificate %[1]s/cert.pem;
		ssl_certificate_key %[1]s/key.pem;
		%[3]s
		location / { return 200 "pages"; }
	}
}
`, folder, port, locations)), 0o600); err != nil {
			t.Fatal(err)
		}
		runUntilTheEnd(t, folder, nginx, "-c", file, "-p", folder, "-e", "stderr")
	},
}

// TestO11PathIssuerBehindAnother: row O11: an issuer with a path, of which another Caddy, or nginx,
// ends TLS: a program signs somebody in, has its tokens and refreshes them, and the other paths
// of the site are somebody else's.
func TestO11PathIssuerBehindAnother(t *testing.T) {
	caddy := theCaddy(t)
	for name, front := range fronts {
		t.Run(name, func(t *testing.T) {
			port, inside := redistest.FreePort(t), redistest.FreePort(t)
			site := fmt.Sprintf("https://localhost:%d", port)
			folder, behind := t.TempDir(), t.TempDir()
			g := &gateway{issuer: site + "/auth/", api: "https://api.example.com", browser: trusting(t, folder)}
			runCaddy(t, caddy, behind, g.behind(behind, inside))
			ready(t, g.browser, fmt.Sprintf("http://localhost:%d/auth/oauth/health", inside))
			front(t, caddy, folder, port, inside)
			ready(t, g.browser, g.issuer+".well-known/openid-configuration")

			if _, page := get(t, g.browser, site+"/"); page != "pages" {
				t.Errorf("the rest of the site answered %q", page)
			}
			get(t, g.browser, site+"/.well-known/oauth-authorization-server/auth") // RFC 8414 §3.1
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
		ClientID: "cli", Endpoint: provider.Endpoint(), RedirectURL: callback.URL + "/callback",
		Scopes: []string{oidc.ScopeOpenID, "email", oidc.ScopeOfflineAccess},
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
	if err != nil || person.Email != "alice@example.com" {
		t.Errorf("userinfo: %+v, %v", person, err)
	}
}

// behind is the configuration of a gateway behind a proxy: the block of docs/running.md.
func (g *gateway) behind(folder string, port int) string {
	return fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	default_bind 127.0.0.1
	storage file_system %[1]s/caddy
	servers {
		trusted_proxies static private_ranges
		trusted_proxies_strict
	}
	oauth {
		issuer %[2]s
		store bolt %[1]s/gatehouse.db
		login local {
			user alice %[3]s {
				email alice@example.com
			}
		}
		api %[4]s {
			allow_offline_access
		}
		client cli {
			type native
			redirect_uris http://127.0.0.1/callback
			apis %[4]s
		}
	}
}
http://localhost:%[5]d {
	oauth_server
	respond pages
}
`, folder, g.issuer, aliceHash, g.api, port)
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
