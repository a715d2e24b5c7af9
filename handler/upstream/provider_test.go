package upstream

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// object is a JSON object.
type object = map[string]any

// provider is an OpenID provider over TLS on loopback. Its fields script it; the zero
// ones are those of a good one.
type provider struct {
	*httptest.Server
	t   *testing.T
	key *jose.PrivateKey

	mu       sync.Mutex
	metadata func(object)                // changes the discovery document
	claims   func(object)                // changes the ID token
	sign     func(payload []byte) string // in its place
	token    http.HandlerFunc            // in place of the token endpoint
	answer   func(object)                // changes the token answer
	info     object                      // of userinfo; nil: there is none
	userinfo http.HandlerFunc            // in its place
	keys     func() []byte               // of the key set
	secrets  []string                    // good ones
	paths    map[string]http.HandlerFunc // further ones
	hits     map[string]int              // by path
	forms    []url.Values                // of the token endpoint
	asked    map[string]url.Values       // authorization requests by code
	refresh  map[string]bool             // refresh tokens that are good
}

const accessToken = "provider-access-token"

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t, secrets: []string{"secret-1"}, hits: make(map[string]int), asked: make(map[string]url.Values), refresh: map[string]bool{"refresh-0": true}, paths: make(map[string]http.HandlerFunc)}
	var err error
	if p.key, err = jose.GenerateKey(jose.ES256); err != nil {
		t.Fatal(err)
	}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.Server.Config.ErrorLog = nil
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.hits[r.URL.Path]++
	further, token, userinfo, keys := p.paths[r.URL.Path], p.token, p.userinfo, p.keys
	p.mu.Unlock()
	switch {
	case further != nil:
		further(w, r)
	case r.URL.Path == "/.well-known/openid-configuration":
		p.say(w, http.StatusOK, p.document())
	case r.URL.Path == "/keys" && keys != nil:
		_, _ = w.Write(keys())
	case r.URL.Path == "/keys":
		_, _ = w.Write(keySetOf(p.t, p.key.Public()))
	case r.URL.Path == "/token" && token != nil:
		token(w, r)
	case r.URL.Path == "/token":
		p.grant(w, r)
	case r.URL.Path == "/userinfo" && userinfo != nil:
		userinfo(w, r)
	case r.URL.Path == "/userinfo" && r.Header.Get("Authorization") == "Bearer "+accessToken:
		p.say(w, http.StatusOK, p.info)
	default:
		http.NotFound(w, r)
	}
}

func (p *provider) document() object {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := object{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"HS256", "ES256", "RS256"},
	}
	if p.info != nil || p.userinfo != nil {
		d["userinfo_endpoint"] = p.URL + "/userinfo"
	}
	if p.metadata != nil {
		p.metadata(d)
	}
	return d
}

func (*provider) say(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// refuse is an answer of RFC 6749 §5.2.
func (p *provider) refuse(w http.ResponseWriter, status int, code string, more ...object) {
	body := object{"error": code, "error_description": "because"}
	for _, m := range more {
		maps.Copy(body, m)
	}
	p.say(w, status, body)
}

// grant is the token endpoint: it is strict.
func (p *provider) grant(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forms = append(p.forms, r.PostForm)
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id != "gatehouse" || !slices.Contains(p.secrets, secret) && r.PostForm.Get("client_assertion") == "" {
		p.refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	var nonce string
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		asked, ok := p.asked[r.PostForm.Get("code")]
		delete(p.asked, r.PostForm.Get("code"))
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if challenge := asked.Get("code_challenge"); !ok || asked.Get("redirect_uri") != r.PostForm.Get("redirect_uri") ||
			challenge != "" && challenge != base64.RawURLEncoding.EncodeToString(sum[:]) || challenge == "" && r.PostForm.Has("code_verifier") {
			p.refuse(w, http.StatusBadRequest, "invalid_grant")
			return
		}
		nonce = asked.Get("nonce")
	case "refresh_token":
		if given := r.PostForm.Get("refresh_token"); !p.refresh[given] {
			p.refuse(w, http.StatusBadRequest, "invalid_grant")
			return
		}
		delete(p.refresh, r.PostForm.Get("refresh_token"))
	default:
		p.refuse(w, http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	next := fmt.Sprint("refresh-", len(p.forms))
	p.refresh[next] = true
	body := object{"access_token": accessToken, "token_type": "Bearer", "expires_in": 300, "refresh_token": next, "id_token": p.idToken(nonce)}
	if p.answer != nil {
		p.answer(body)
	}
	p.say(w, http.StatusOK, body)
}

// idToken makes one as the script says.
func (p *provider) idToken(nonce string) string {
	now := time.Now()
	claims := object{"iss": p.URL, "aud": "gatehouse", "sub": "00u1", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if p.claims != nil {
		p.claims(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	if p.sign != nil {
		return p.sign(payload)
	}
	token, err := jose.Sign(p.key, "JWT", payload)
	if err != nil {
		p.t.Error(err)
	}
	return token
}

func keySetOf(t *testing.T, keys ...*jose.PublicKey) []byte {
	t.Helper()
	set, err := jose.MarshalKeySet(keys)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// config is that of a login at the provider: at a private address, which is its own.
func (p *provider) config() Config {
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	return Config{
		Name: "company", Issuer: p.URL, ClientID: "gatehouse",
		ClientSecrets: func() ([]string, error) { return []string{"secret-1"}, nil },
		Roots:         func() (*x509.CertPool, error) { return roots, nil },
	}
}

// start makes a login and lets it discover the provider.
func start(t *testing.T, cfg Config) *OIDC {
	t.Helper()
	o, err := NewOIDC(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	o.Start()
	if flight := o.published.want(); flight != nil {
		<-flight // a busy machine may take longer than people wait
	}
	return o
}

// clock stands still unless a test moves it.
type clock struct {
	from time.Time
	by   atomic.Int64
}

func newClock() *clock { return &clock{from: time.Now()} }

func (c *clock) now() time.Time { return c.from.Add(time.Duration(c.by.Load())) }

func (c *clock) add(d time.Duration) { c.by.Add(int64(d)) }

// departure is one without anything asked.
func departure() login.Departure {
	return login.Departure{
		RedirectURI: "https://auth.example.com/callback/company", State: "state-of-22-characters", Nonce: "nonce-of-22-characters",
		Verifier: strings.Repeat("v", 43), At: time.Now(),
	}
}

// authorize is the browser at the provider: it returns what the browser brings back.
func (p *provider) authorize(t *testing.T, to string) url.Values {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, p.URL+"/authorize?") {
		t.Fatalf("%s, %v", to, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := fmt.Sprint("code-", len(p.asked), "-", len(p.forms))
	p.asked[code] = u.Query()
	return url.Values{"code": {code}, "state": {u.Query().Get("state")}}
}

// signIn goes there and back.
func (p *provider) signIn(t *testing.T, o login.Elsewhere, asked login.Asked) (*login.Arrival, error) {
	t.Helper()
	d := departure()
	d.Asked = asked
	to, err := o.Begin(d)
	if err != nil {
		return nil, err
	}
	return o.Finish(t.Context(), d, p.authorize(t, to))
}

// want compares a failure; 0 is none.
func want(t *testing.T, err error, failure login.Failure, reason string) {
	t.Helper()
	var f *login.FailedError
	switch {
	case failure == 0 && err == nil:
	case failure == 0:
		t.Errorf("error %v, want none", err)
	case !errors.As(err, &f):
		t.Errorf("error %v, want a failure", err)
	case f.Failure != failure || f.Reason != reason:
		t.Errorf("failure %d, reason %q (%v), want %d, %q", f.Failure, f.Reason, err, failure, reason)
	}
	if err != nil {
		for _, secret := range []string{accessToken, "secret-1", "refresh-0", "code-0-0"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q is in the error %v", secret, err)
			}
		}
	}
}

// heard is an observer that keeps the outcomes of EventLoginBroken.
type heard struct {
	oauth.NopObserver
	mu       sync.Mutex
	outcomes []oauth.Outcome
}

func (h *heard) Happened(_ context.Context, e oauth.Event) {
	if e.Kind != oauth.EventLoginBroken {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outcomes = append(h.outcomes, e.Outcome)
}

func (h *heard) take() []oauth.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := h.outcomes
	h.outcomes = nil
	return taken
}

func (p *provider) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits[path]
}
