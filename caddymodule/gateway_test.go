package caddymodule

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

const (
	testAPI      = "https://api.example.com"
	testPassword = "canary-password-of-alice"
	testCallback = "http://localhost:3999/callback"
)

// gateway is a real Caddy in this process: the authorization server on one
// port, a guarded API on another, an upstream behind it. There is one Caddy
// per process, so that tests with a gateway cannot run in parallel.
type gateway struct {
	t         *testing.T
	dir       string
	Issuer    string // http://localhost:<port>/
	API       string // http://localhost:<port>
	AdminAddr string
	Store     string
	Secret    string
	Hash      string // of alice's password
	Machine   string // the secret of the machine client
	upstream  *guarded
	client    *http.Client
}

// newGateway prepares addresses, files and an upstream. Nothing runs yet.
func newGateway(t *testing.T) *gateway {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(testPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{
		t:         t,
		dir:       dir,
		Issuer:    fmt.Sprintf("http://localhost:%d/", redistest.FreePort(t)),
		API:       fmt.Sprintf("http://localhost:%d", redistest.FreePort(t)),
		AdminAddr: fmt.Sprintf("localhost:%d", redistest.FreePort(t)),
		Store:     filepath.Join(dir, "gatehouse.db"),
		Secret:    NewGatewaySecret(),
		Hash:      string(hash),
		Machine:   "canary-client-secret-" + NewGatewaySecret()[:20],
		upstream:  newUpstream(t),
		client: &http.Client{
			Jar:           jar,
			Transport:     &http.Transport{},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	t.Cleanup(g.client.CloseIdleConnections)
	return g
}

// url returns the URL of an endpoint.
func (g *gateway) url(path string) string { return strings.TrimSuffix(g.Issuer, "/") + path }

// reply is an answer whose body has been read.
type reply struct {
	StatusCode int
	Header     http.Header
}

// do sends a request and reads the answer. A connection that the end of an old
// configuration cuts is tried again.
func (g *gateway) do(r *http.Request) (reply, string) {
	g.t.Helper()
	resp, err := g.client.Do(r)
	for range 3 {
		if err == nil {
			break
		}
		if r.Body, err = r.GetBody(); err == nil {
			resp, err = g.client.Do(r)
		}
	}
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header}, string(body)
}

// request makes a request; a form makes it a POST. Further arguments are headers and their values.
func (g *gateway) request(target string, form url.Values, headers ...string) *http.Request {
	g.t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r, err := http.NewRequestWithContext(g.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1]) // as written, not canonical
	}
	return r
}

// tokenAnswer is what the token endpoint answers.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Error        string `json:"error"`
	status       int
	body         string
}

// token posts to the token endpoint.
func (g *gateway) token(form url.Values) tokenAnswer {
	g.t.Helper()
	resp, body := g.do(g.request(g.url("/oauth/token"), form))
	return g.tokenAnswer(resp, body)
}

// tokenAnswer reads an answer of the token endpoint.
func (g *gateway) tokenAnswer(resp reply, body string) tokenAnswer {
	g.t.Helper()
	answer := tokenAnswer{status: resp.StatusCode, body: body}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			g.t.Fatalf("token endpoint: %v: %s", err, body)
		}
	}
	return answer
}

// machineToken returns an access token of the machine client.
func (g *gateway) machineToken() string {
	g.t.Helper()
	answer := g.token(url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"worker"}, "client_secret": {g.Machine}, "audience": {testAPI},
	})
	if answer.AccessToken == "" {
		g.t.Fatalf("client credentials: %d %s", answer.status, answer.body)
	}
	return answer.AccessToken
}

// refresh presents a refresh token of the client my-spa.
func (g *gateway) refresh(token string) tokenAnswer {
	g.t.Helper()
	return g.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {"my-spa"}, "refresh_token": {token}})
}

var ticketField = regexp.MustCompile(`name="request" value="([^"]+)"`)

// login signs alice in at the page, as a browser does, and redeems the code.
func (g *gateway) login() tokenAnswer {
	g.t.Helper()
	verifier := strings.Repeat("canary-verifier-", 3)
	code := g.authorize(verifier)
	answer := g.token(url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"my-spa"}, "redirect_uri": {testCallback},
		"code": {code}, "code_verifier": {verifier},
	})
	if answer.AccessToken == "" || answer.RefreshToken == "" {
		g.t.Fatalf("redeeming the code: %d %s", answer.status, answer.body)
	}
	return answer
}

// authorize signs alice in and returns the code.
func (g *gateway) authorize(verifier string) string {
	g.t.Helper()
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {"my-spa"}, "redirect_uri": {testCallback},
		"scope": {"openid profile email offline_access orders:read"}, "audience": {testAPI},
		"state": {"canary-state"}, "nonce": {"canary-nonce"}, "prompt": {"login"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	resp, page := g.do(g.request(g.url("/authorize?"+query.Encode()), nil))
	ticket := ticketField.FindStringSubmatch(page)
	if ticket == nil {
		g.t.Fatalf("no login page: %d %s %s", resp.StatusCode, resp.Header.Get("Location"), page)
	}
	form := url.Values{
		"request": {ticket[1]}, "login": {"local"}, "username": {"alice"}, "password": {testPassword}, "action": {"login"},
	}
	resp, page = g.do(g.request(g.url("/login"), form, "Origin", strings.TrimSuffix(g.Issuer, "/")))
	location, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || location.Query().Get("code") == "" {
		g.t.Fatalf("no code: %d %s %s", resp.StatusCode, location, page)
	}
	return location.Query().Get("code")
}

// call sends a request with a token to the guarded API.
func (g *gateway) call(path, token string, headers ...string) (reply, string) {
	g.t.Helper()
	r := g.request(g.API+path, nil, headers...)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return g.do(r)
}

// admin asks the admin API.
func (g *gateway) admin(method, path string) (int, string) {
	g.t.Helper()
	r := g.request("http://"+g.AdminAddr+path, nil)
	r.Method = method
	resp, body := g.do(r)
	return resp.StatusCode, body
}

// logs returns what Caddy has logged.
func (g *gateway) logs() string {
	g.t.Helper()
	b, err := os.ReadFile(filepath.Join(g.dir, "caddy.log"))
	if err != nil {
		g.t.Fatal(err)
	}
	return string(b)
}

// guarded is what stands behind the guards: it records what reaches it.
type guarded struct {
	server *httptest.Server
	mu     sync.Mutex
	seen   []*http.Request
}

func newUpstream(t *testing.T) *guarded {
	u := new(guarded)
	u.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.seen = append(u.seen, r.Clone(t.Context()))
		u.mu.Unlock()
		_, _ = io.WriteString(w, "upstream "+r.URL.Path)
	}))
	t.Cleanup(u.server.Close)
	return u
}

// take returns the requests that came since the last call.
func (u *guarded) take() []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	seen := u.seen
	u.seen = nil
	return seen
}
