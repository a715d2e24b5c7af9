package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// F23: how this gateway authenticates is known beforehand, and a code is sent once.
func TestF23ClientAuthentication(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	announce := func(methods ...string) func(object) {
		return func(d object) { d["token_endpoint_auth_methods_supported"] = methods }
	}
	for _, tt := range []struct {
		name   string
		cfg    func(*Config)
		script func(object)
		want   ClientAuth
	}{
		{"nothing announced", nil, nil, AuthBasic},
		{"both announced", nil, announce("client_secret_post", "client_secret_basic"), AuthBasic},
		{"post announced", nil, announce("client_secret_post", "private_key_jwt"), AuthPost},
		{"others announced", nil, announce("private_key_jwt"), AuthBasic},
		{"post configured", func(c *Config) { c.ClientAuth = AuthPost }, announce("client_secret_basic"), AuthPost},
		{"a key", func(c *Config) { c.ClientKey = key }, nil, AuthPrivateKeyJWT},
		{"no secret", func(c *Config) { c.ClientSecrets = nil }, nil, AuthNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			p.metadata = tt.script
			var got ClientAuth
			var requests int
			p.token = func(w http.ResponseWriter, r *http.Request) {
				requests++
				got = methodOf(t, p, r, key.Public())
				p.grant(w, r)
			}
			if tt.want == AuthNone {
				p.secrets = []string{""}
			}
			cfg := p.config()
			if tt.cfg != nil {
				tt.cfg(&cfg)
			}
			_, err := p.signIn(t, start(t, cfg), login.Asked{})
			want(t, err, 0, "")
			if got != tt.want || requests != 1 {
				t.Errorf("authenticated by %s in %d requests, want %s", got, requests, tt.want)
			}
		})
	}
}

// methodOf says how a request is authenticated.
func methodOf(t *testing.T, p *provider, r *http.Request, key *jose.PublicKey) ClientAuth {
	t.Helper()
	_ = r.ParseForm()
	_, _, basic := r.BasicAuth()
	assertion := r.PostForm.Get("client_assertion")
	switch {
	case basic && r.PostForm.Has("client_secret"), !basic && r.PostForm.Get("client_id") != "gatehouse":
		t.Errorf("both, or none: %v", r.PostForm)
	case basic:
		return AuthBasic
	case r.PostForm.Has("client_secret"):
		return AuthPost
	case assertion == "":
		return AuthNone
	}
	token, err := jose.ReadCompact(assertion, 4<<10)
	if err != nil || key.Verify(assertion) != nil || r.PostForm.Get("client_assertion_type") != assertionType {
		t.Fatalf("the assertion is not good: %v", err)
	}
	var c struct {
		Iss, Sub, Aud, Jti string
		Iat, Exp           int64
	}
	if err := json.Unmarshal(token.Payload, &c); err != nil || c.Iss != "gatehouse" || c.Sub != "gatehouse" || c.Aud != p.URL || len(c.Jti) < 22 || c.Exp-c.Iat != 60 {
		t.Errorf("%+v, %v", c, err)
	}
	return AuthPrivateKeyJWT
}

// F79, F40: of two secrets the second is tried where the first is refused as such; where
// both are, an operator is told until it is over, and the login is in trouble.
func TestF79AndF40Secrets(t *testing.T) {
	p := newProvider(t)
	secrets := []string{"secret-new", "secret-1"}
	cfg, h := p.config(), new(heard)
	cfg.Observer = h
	cfg.ClientSecrets = func() ([]string, error) { return secrets, nil }
	o := start(t, cfg)
	_, err := p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	if p.count("/token") != 2 {
		t.Errorf("%d requests", p.count("/token"))
	}
	secrets = []string{"secret-old"}
	_, err = p.signIn(t, o, login.Asked{})
	want(t, err, login.FailedBroken, reasonClient)
	if err := o.Trouble(); err == nil || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("trouble %v", err)
	}
	secrets = []string{"secret-1"} // the file was read again
	_, err = p.signIn(t, o, login.Asked{})
	want(t, err, 0, "")
	if told := h.take(); !slices.Equal(told, []oauth.Outcome{oauth.LoginClientRefused, oauth.OutcomeOK}) || o.Trouble() != nil {
		t.Errorf("told %v, trouble %v", told, o.Trouble())
	}
	before := p.count("/token")
	p.token = func(w http.ResponseWriter, _ *http.Request) { p.refuse(w, http.StatusBadRequest, "invalid_grant") }
	secrets = []string{"secret-1", "secret-2"}
	_, err = p.signIn(t, o, login.Asked{})
	want(t, err, login.FailedAgain, reasonCode)
	if n := p.count("/token") - before; n != 1 {
		t.Errorf("a spent code was sent %d times", n)
	}
	for _, secrets := range []func() ([]string, error){
		func() ([]string, error) { return nil, errors.New("the file is gone") },
		func() ([]string, error) { return []string{""}, nil },
	} {
		cfg.ClientSecrets = secrets
		_, err = p.signIn(t, start(t, cfg), login.Asked{})
		want(t, err, login.FailedBroken, reasonSettings)
	}
}

// F19, F41: what a token endpoint may answer at a sign-in. No body is quoted, and no code.
func TestF19F41TokenAnswers(t *testing.T) {
	page := strings.Repeat("<p>code-0-0 secret-1</p>", 100)
	answer := func(status int, kind, body string) func(*provider) http.HandlerFunc {
		return func(*provider) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			}
		}
	}
	refuse := func(status int, code string, more ...object) func(*provider) http.HandlerFunc {
		return func(p *provider) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { p.refuse(w, status, code, more...) }
		}
	}
	for _, tt := range []struct {
		name    string
		token   func(*provider) http.HandlerFunc
		failure login.Failure
		reason  string
	}{
		{"invalid_grant", refuse(400, "invalid_grant"), login.FailedAgain, reasonCode},
		{"GitHub's word, with 200", refuse(200, "bad_verification_code"), login.FailedAgain, reasonCode},
		{"invalid_grant that quotes the code", refuse(400, "invalid_grant", object{"error_description": "code-0-0 is spent"}), login.FailedAgain, reasonCode},
		{"invalid_client", refuse(401, "invalid_client"), login.FailedBroken, reasonClient},
		{"unauthorized_client", refuse(400, "unauthorized_client"), login.FailedBroken, reasonClient},
		{"invalid_request", refuse(400, "invalid_request"), login.FailedBroken, reasonRequest},
		{"interaction_required", refuse(400, "interaction_required"), login.FailedAgain, reasonInteraction},
		{"500", refuse(500, "invalid_grant"), login.FailedDown, reasonUnreachable},
		{"429", refuse(429, "invalid_grant"), login.FailedDown, reasonUnreachable},
		{"F41 an HTML 400", answer(400, "text/html", page), login.FailedDown, reasonUnreachable},
		{"F41 a text with the word", answer(400, "text/plain", "error=invalid_grant"), login.FailedDown, reasonUnreachable},
		{"F41 a 404 with it", refuse(404, "invalid_grant"), login.FailedDown, reasonUnreachable},
		{"F19 an HTML 200", answer(200, "text/html", page), login.FailedDown, reasonUnreachable},
		{"no access token", answer(200, "application/json", "{}"), login.FailedDown, reasonUnreachable},
		{"F19 50 MiB", answer(200, "application/json", `{"access_token":"`+strings.Repeat("x", 50<<20)), login.FailedDown, reasonUnreachable},
		{"F19 a redirect away", func(*provider) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://evil.example/", http.StatusTemporaryRedirect)
			}
		}, login.FailedDown, reasonUnreachable},
		{"F19 no answer", func(*provider) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		}, login.FailedDown, reasonUnreachable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t)
			p.token = tt.token(p)
			_, err := p.signIn(t, start(t, p.config()), login.Asked{})
			want(t, err, tt.failure, tt.reason)
			if err != nil && (strings.Contains(err.Error(), "<p>") || len(err.Error()) > 600) {
				t.Errorf("the error quotes what came: %v", err)
			}
		})
	}
}

// F19: a provider that hangs holds somebody up for as long as their request lives, 10 s at most.
func TestF19SlowToken(t *testing.T) {
	p := newProvider(t)
	ctx, cancel := context.WithCancel(t.Context())
	p.token = func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		cancel()
		<-r.Context().Done()
	}
	o, d := start(t, p.config()), departure()
	to, err := o.Begin(d)
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.Finish(ctx, d, p.authorize(t, to))
	want(t, err, login.FailedDown, reasonUnreachable)
}
