package handler

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// recording is what one SDK sends in the life of a login, written down from its
// public source: parameters, their order and escaping, headers, body. Versions
// and random values are examples. {{name}} stands for what an earlier answer,
// or the client, holds.
type recording struct {
	SDK     string   `json:"sdk"`
	Version string   `json:"version"` // the commits that were read
	Seen    []string `json:"seen"`    // repository: files
	Client  struct {
		ID           string         `json:"id"`
		Type         clients.Type   `json:"type"`
		RedirectURIs []string       `json:"redirect_uris"`
		LogoutURIs   []string       `json:"logout_uris"`
		Secret       bool           `json:"secret"`
		Key          jose.Algorithm `json:"key"`           // signs assertions
		AssertionNBF bool           `json:"assertion_nbf"` // which have an nbf
	} `json:"client"`
	Verifier string            `json:"verifier"`
	Nonce    string            `json:"nonce"`
	Requests []recordedRequest `json:"requests"`
}

// recordedRequest is one request and what the SDK reads from the answer.
type recordedRequest struct {
	Name    string            `json:"name"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Answer  struct {
		Status int    `json:"status"`
		Type   string `json:"type"`
		// Mode is how the browser is sent to the address To: query or form_post.
		Mode string `json:"mode"`
		To   string `json:"to"`
		// Members are those of the JSON, or the parameters: string, number, or = and the value.
		Members map[string]string `json:"members"`
	} `json:"answer"`
}

// TestSDKs replays the requests of Auth0's SDKs for web and native applications, and of AppAuth.
func TestSDKs(t *testing.T) {
	files, err := filepath.Glob("testdata/sdk/*.json")
	if err != nil || len(files) < 12 {
		t.Fatalf("found %d recordings, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r recording
		if err := json.Unmarshal(data, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			if len(r.Seen) == 0 || r.Version == "" {
				t.Error("the recording does not say where it was seen")
			}
			newReplay(t, r).run()
		})
	}
}

// replay is a recording on its way.
type replay struct {
	recording
	t       *testing.T
	g       *gateway
	browser *browser
	signer  signer
	values  map[string]string
}

func newReplay(t *testing.T, r recording) *replay {
	t.Helper()
	p := &replay{recording: r, t: t, values: map[string]string{"secret": webSecret, "verifier": r.Verifier}}
	sum := sha256.Sum256([]byte(r.Verifier))
	p.values["challenge"] = base64.RawURLEncoding.EncodeToString(sum[:])
	client := &clients.Client{
		ID: r.Client.ID, Type: r.Client.Type, RedirectURIs: r.Client.RedirectURIs, LogoutURIs: r.Client.LogoutURIs,
		APIs: []string{testAPI}, OIDCConformant: true,
		Refresh: clients.RefreshPolicy{Rotation: true, Leeway: 10 * time.Second, Lifetime: 24 * time.Hour, MaxActive: 10},
	}
	if r.Client.Secret {
		client.SecretHashes = []string{clients.HashSecret(webSecret)}
	}
	if r.Client.Key != "" {
		key, err := jose.GenerateKey(r.Client.Key)
		if err != nil {
			t.Fatal(err)
		}
		p.signer = signer{id: client.ID, key: key}
		client.Keys.Fixed = []*jose.PublicKey{key.Public()}
	}
	p.g = newGateway(t, func(core *tokens.Config, _ *Config) { core.Clients = append(core.Clients, client) })
	p.signer.g = p.g
	p.browser = p.g.browser()
	return p
}

func (p *replay) run() {
	all := p.t
	for _, r := range p.Requests {
		ok := all.Run(r.Name, func(t *testing.T) {
			p.t, p.g.t = t, t
			if strings.Contains(r.Body, "{{assertion}}") {
				p.values["assertion"] = p.assertion()
			}
			if r.Answer.Mode != "" {
				p.page(r)
			} else {
				p.call(r)
			}
		})
		if !ok {
			return // what follows needs its answer
		}
		p.g.pass(time.Second)
	}
}

// assertion signs what the SDKs' signers do: three minutes, a fresh jti.
func (p *replay) assertion() string {
	now := p.g.clock().Unix()
	claims := map[string]any{"exp": now + 180}
	if p.Client.AssertionNBF {
		claims["nbf"] = now
	}
	return p.signer.assertion(p.signer.claims(claims))
}

// fill puts values in the place of their names.
func (p *replay) fill(text string, escape func(string) string) string {
	for name, value := range p.values {
		text = strings.ReplaceAll(text, "{{"+name+"}}", escape(value))
	}
	if strings.Contains(text, "{{") {
		p.t.Fatalf("no value for what is asked in %s", text)
	}
	return text
}

func plain(s string) string { return s }

// page opens an address in the browser and follows it to the application.
func (p *replay) page(r recordedRequest) {
	target := p.fill(r.URL, url.QueryEscape)
	res := p.browser.get(target)
	if res.StatusCode == http.StatusOK && strings.Contains(res.Body, `name="password"`) {
		res = p.browser.signIn(target, "alice", testPassword)
	}
	var to string
	var got url.Values
	if r.Answer.Mode == "form_post" {
		to, got = form(p.t, res.Body)
	} else {
		if res.StatusCode != http.StatusSeeOther && res.StatusCode != http.StatusFound {
			p.t.Fatalf("status %d\n%s", res.StatusCode, res.Body)
		}
		var query string
		to, query, _ = strings.Cut(res.Header.Get("Location"), "?")
		var err error
		if got, err = url.ParseQuery(query); err != nil {
			p.t.Fatal(err)
		}
	}
	if to != r.Answer.To {
		p.t.Errorf("the browser is sent to %s, want %s", to, r.Answer.To)
	}
	members := make(map[string]any)
	for name := range got {
		members[name] = got.Get(name)
	}
	p.compare(r, members)
	p.values["code"] = got.Get("code")
}

// call sends a request as the SDK does.
func (p *replay) call(r recordedRequest) {
	escape := url.QueryEscape
	if strings.HasPrefix(r.Body, "{") {
		escape = plain // nothing of ours needs escaping in JSON
	}
	var headers []string
	for name, value := range r.Headers {
		headers = append(headers, name, p.fill(value, plain))
	}
	res := p.g.do(r.Method, p.fill(r.URL, url.QueryEscape), p.fill(r.Body, escape), headers...)
	if res.StatusCode != r.Answer.Status || res.Header.Get("Content-Type") != r.Answer.Type {
		p.t.Fatalf("%d %s, want %d %s\n%s", res.StatusCode, res.Header.Get("Content-Type"), r.Answer.Status, r.Answer.Type, res.Body)
	}
	members := jsonOf(p.t, res)
	p.compare(r, members)
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		if value, ok := members[name].(string); ok {
			p.values[name] = value
		}
	}
	if token, ok := members["id_token"].(string); ok {
		p.checkIDToken(token)
	}
}

// compare holds the answer against what the SDK reads from it.
func (p *replay) compare(r recordedRequest, got map[string]any) {
	for name, want := range r.Answer.Members {
		value, text := got[name], ""
		switch v := value.(type) {
		case string:
			text = "string"
			if literal, ok := strings.CutPrefix(want, "="); ok {
				text = want
				if v != literal {
					p.t.Errorf("%s is %q, want %q", name, v, literal)
				}
			} else if v == "" {
				p.t.Errorf("%s is empty", name)
			}
		case float64:
			text = "number"
		}
		if text != want {
			p.t.Errorf("%s is %v, want %s", name, value, want)
		}
	}
}

// checkIDToken checks what all the SDKs check: RS256, issuer, audience, nonce, times.
func (p *replay) checkIDToken(token string) {
	if _, err := p.g.Issuer.ParseLogoutHint(token); err != nil {
		p.t.Fatalf("the ID token is not good: %v", err)
	}
	part := func(n int) map[string]any {
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
		if err != nil {
			p.t.Fatal(err)
		}
		return jsonOf(p.t, &wiretest.Answer{Body: string(raw)})
	}
	header, claims := part(0), part(1)
	if header["alg"] != "RS256" || header["kid"] == nil {
		p.t.Errorf("header %v", header)
	}
	if claims["iss"] != testIssuer || claims["aud"] != p.Client.ID || claims["sub"] != "local|alice" || claims["sid"] == nil {
		p.t.Errorf("claims %v", claims)
	}
	nonce, _ := claims["nonce"].(string)
	expiry, _ := claims["exp"].(float64)
	issued, _ := claims["iat"].(float64)
	authTime, _ := claims["auth_time"].(float64)
	now := float64(p.g.clock().Unix())
	if nonce != "" && nonce != p.Nonce || expiry <= now || issued > now || authTime == 0 || authTime > issued {
		p.t.Errorf("nonce %q, auth_time %v, iat %v, exp %v", nonce, authTime, issued, expiry)
	}
}
