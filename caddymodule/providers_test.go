package caddymodule

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

// provider is a folder of testdata/issuers: what an issuer of the world publishes
// and issues, with nobody's names in it. jwks.json has words in the place of key material.
type provider struct {
	Title         string         `json:"title"` // of its section in docs/issuers.md
	JWKSURI       string         `json:"jwks_uri"`
	Header        map[string]any `json:"header"`
	Claims        map[string]any `json:"claims"` // as recorded: times are moved to now
	User          string         `json:"user"`   // whom the token is of
	AudienceClaim string         `json:"audience_claim"`
	HeaderName    string         `json:"header_name"` // where the token is; "" is Authorization
	WantsToken    bool           `json:"wants_token"` // whoever asks for the keys has to show one
	keys          string
}

// providers are all of testdata/issuers.
func providers(t *testing.T) []*provider {
	t.Helper()
	folders, err := filepath.Glob("testdata/issuers/*")
	if err != nil || len(folders) < 20 {
		t.Fatalf("%d issuers, %v", len(folders), err)
	}
	var all []*provider
	for _, folder := range folders {
		text, err := os.ReadFile(filepath.Join(folder, "token.json"))
		if err != nil {
			t.Fatal(err)
		}
		p := new(provider)
		if err := json.Unmarshal(text, p); err != nil {
			t.Fatalf("%s: %v", folder, err)
		}
		if p.JWKSURI != "" {
			keys, err := os.ReadFile(filepath.Join(folder, "jwks.json"))
			if err != nil {
				t.Fatal(err)
			}
			p.keys = string(keys)
		}
		all = append(all, p)
	}
	return all
}

// world is a server that stands for the servers of all issuers: the first part of
// a path is the host.
type world struct {
	t      *testing.T
	server *httptest.Server
	mux    *http.ServeMux
	rsa    *rsa.PrivateKey
	other  *rsa.PrivateKey // that is published under other IDs
	ec     *ecdsa.PrivateKey
	hosts  *strings.Replacer // from the world's addresses to those of the server
	files  *strings.Replacer
	token  string // what whoever asks for keys has to show, where they want one
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, mux: http.NewServeMux(), token: "canary-of-the-pod"}
	var err error
	if w.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if w.other, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if w.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewTLSServer(w.mux)
	t.Cleanup(w.server.Close)
	der, err := x509.MarshalPKIXPublicKey(w.ec.Public())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const pod = "/var/run/secrets/kubernetes.io/serviceaccount/"
	w.files = strings.NewReplacer(
		pod+"ca.crt", write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw})),
		pod+"token", write("token", []byte(w.token+"\n")),
		"/etc/gatehouse/partner.pem", write("partner.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	)
	return w
}

// address finds the hosts that a block asks for keys.
var address = regexp.MustCompile(`(?m)^\t\t(?:issuer|\tjwks_uri) (https://[^/ ]+)`)

// block is the block of a provider in docs/issuers.md, for this world.
func (w *world) block(page, title string) string {
	w.t.Helper()
	_, section, found := strings.Cut(page, "\n### "+title+"\n")
	_, site, shown := strings.Cut(section, "```caddyfile\napi.example.com {\n")
	site, _, ends := strings.Cut(site, "\treverse_proxy localhost:9000\n}\n```")
	if !found || !shown || !ends {
		w.t.Fatalf("docs/issuers.md shows no block for %s", title)
	}
	var pairs []string
	for _, host := range address.FindAllStringSubmatch(site, -1) {
		pairs = append(pairs, host[1], w.server.URL+"/"+strings.TrimPrefix(host[1], "https://"))
	}
	w.hosts = strings.NewReplacer(pairs...)
	var lines []string
	for line := range strings.Lines(w.hosts.Replace(site)) {
		lines = append(lines, line)
		if strings.HasPrefix(line, "\t\tissuer ") && !strings.Contains(site, "jwks_file") {
			lines = append(lines, w.missing(site, "allow_private", ""), w.missing(site, "ca", " /var/run/secrets/kubernetes.io/serviceaccount/ca.crt"))
		}
	}
	return w.files.Replace(strings.Join(lines, ""))
}

// missing is a line that this world needs, unless the block has it.
func (w *world) missing(site, option, rest string) string {
	if strings.Contains(site, "\t\t\t"+option) {
		return ""
	}
	return "\t\t\t" + option + rest + "\n"
}

// publish serves the keys of a provider, and its metadata.
func (w *world) publish(p *provider) {
	w.t.Helper()
	if p.JWKSURI == "" {
		return
	}
	own, ec := tokenstest.PublicJWK(w.t, w.rsa), tokenstest.PublicJWK(w.t, w.ec)
	fill := strings.NewReplacer("RSA_N", own["n"].(string), "RSA_OTHER_N", tokenstest.PublicJWK(w.t, w.other)["n"].(string), "EC_X", ec["x"].(string), "EC_Y", ec["y"].(string))
	keys := w.hosts.Replace(fill.Replace(p.keys))
	at := w.hosts.Replace(p.JWKSURI)
	w.mux.HandleFunc(strings.TrimPrefix(at, w.server.URL), func(rw http.ResponseWriter, r *http.Request) {
		if p.WantsToken && r.Header.Get("Authorization") != "Bearer "+w.token {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = rw.Write([]byte("\xef\xbb\xbf" + keys)) // G12: some servers write a byte order mark
	})
	issuer := w.hosts.Replace(p.Claims["iss"].(string))
	place, local := strings.CutPrefix(strings.TrimSuffix(issuer, "/"), w.server.URL)
	if local {
		w.mux.HandleFunc(place+"/.well-known/openid-configuration", func(rw http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(rw).Encode(map[string]string{"issuer": issuer, "jwks_uri": at})
		})
	}
}

// mint makes the recorded token anew, with changes, by one of the world's keys.
func (w *world) mint(p *provider, key crypto.Signer, change map[string]any) string {
	w.t.Helper()
	text := tokenstest.JSON(w.t, p.Claims)
	claims := make(map[string]any)
	if err := json.Unmarshal([]byte(w.hosts.Replace(text)), &claims); err != nil {
		w.t.Fatal(err)
	}
	moved := time.Now().Unix() - int64(p.Claims["iat"].(float64))
	for _, name := range []string{"iat", "nbf", "exp", "auth_time"} {
		if at, ok := claims[name].(float64); ok {
			claims[name] = int64(at) + moved
		}
	}
	return tokenstest.SignInput(w.t, key, tokenstest.Segment(tokenstest.JSON(w.t, p.Header))+"."+tokenstest.Segment(tokenstest.JSON(w.t, tokenstest.Merge(claims, change))))
}

// G4 to G13: what the issuers of the world really issue is taken by the very block
// that docs/issuers.md shows for each, and nothing else is.
func TestProvidersOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/issuers.md")
	if err != nil {
		t.Fatal(err)
	}
	w, g := newWorld(t), newGateway(t)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, p := range providers(t) {
		t.Run(p.Title, func(t *testing.T) {
			block := w.block(string(page), p.Title)
			w.publish(p)
			if err := g.loadCaddyfile([]byte(g.siteAlone(block + "\trespond \"{http.auth.user.sub}\"\n"))); err != nil {
				t.Fatalf("%v\n%s", err, block)
			}
			var key crypto.Signer = w.rsa
			if p.Header["alg"] == "ES256" {
				key = w.ec
			}
			call := func(token string) (int, string) {
				if p.HeaderName == "" {
					resp, body := g.call("/", token)
					return resp.StatusCode, body
				}
				resp, body := g.call("/", "", p.HeaderName, token)
				return resp.StatusCode, body
			}
			for _, round := range []string{"the first request of all", "again"} {
				if status, body := call(w.mint(p, key, nil)); status != http.StatusOK || body != p.User {
					t.Fatalf("%s: %d %q, want %q", round, status, body, p.User)
				}
			}
			for name, token := range map[string]string{
				"another audience": w.mint(p, key, map[string]any{p.AudienceClaim: "https://other.example.com"}),
				"no audience":      w.mint(p, key, map[string]any{p.AudienceClaim: nil}),
				"another issuer":   w.mint(p, key, map[string]any{"iss": fmt.Sprint(p.Claims["iss"], "x")}),
				"another key":      w.mint(p, w.other, nil),
				"expired":          w.mint(p, key, map[string]any{"exp": time.Now().Unix() - 60}),
			} {
				if status, _ := call(token); status != http.StatusUnauthorized {
					t.Errorf("%s: %d", name, status)
				}
			}
		})
	}
}

// G12: the recipe of docs/issuers.md for EventSource: the token of a query, on one path,
// and nothing of it goes upstream.
func TestQueryTokensOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/issuers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, _ := strings.Cut(string(page), "\n## Tokens in other places\n")
	_, recipe, _ = strings.Cut(recipe, "```caddyfile\napi.example.com {\n")
	recipe, _, found := strings.Cut(recipe, "}\n```")
	if !found {
		t.Fatal("docs/issuers.md shows no recipe")
	}
	a, g := newOtherIssuer(t), newGateway(t)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	recipe = strings.NewReplacer("https://tenant.eu.auth0.com/ {", a.URL()+" {\nallow_private", "localhost:9000", strings.TrimPrefix(g.upstream.server.URL, "http://")).Replace(recipe)
	if err := g.loadCaddyfile([]byte(g.siteAlone(recipe))); err != nil {
		t.Fatal(err)
	}
	token := a.mint(nil)
	for _, tt := range []struct {
		name, target string
		headers      []string
		status       int
	}{
		{"in the query", "/events?a=b&access_token=" + token, nil, 200},
		{"in the header", "/events?a=b", []string{"Authorization", "Bearer " + token}, 200},
		{"nowhere", "/events?a=b", nil, 401},
		{"a bad one", "/events?access_token=" + token + "x", nil, 401},
		{"two of them", "/events?access_token=" + token + "&access_token=" + token, nil, 400},
		{"on another path", "/orders?access_token=" + token, nil, 401},
		{"on another path, beside the header", "/orders?access_token=" + token, []string{"Authorization", "Bearer " + token}, 400},
	} {
		resp, body := g.call(tt.target, "", tt.headers...)
		seen := g.upstream.take()
		if resp.StatusCode != tt.status || (len(seen) == 1) != (tt.status == http.StatusOK) {
			t.Errorf("%s: %d %s, %d requests at the upstream", tt.name, resp.StatusCode, body, len(seen))
		}
		if len(seen) == 1 && (seen[0].URL.RawQuery != "a=b" || seen[0].Header.Get("Authorization") != "Bearer "+token) {
			t.Errorf("%s: the upstream sees %s, %q", tt.name, seen[0].URL, seen[0].Header["Authorization"])
		}
	}
}

// siteAlone is a Caddyfile of a site, without an `oauth` app.
func (g *gateway) siteAlone(site string) string {
	return "{\n\tadmin " + g.AdminAddr + "\n\tpersist_config off\n\tauto_https off\n\tstorage file_system " + g.dir + "/caddy\n\tmetrics\n}\n" + g.API + " {\n" + site + "}\n"
}
