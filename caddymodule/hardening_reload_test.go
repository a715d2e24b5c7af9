package caddymodule

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// withoutClient takes the client my-spa out of a gateway's Caddyfile.
func (g *gateway) withoutClient(o gatewayOptions) []byte {
	g.t.Helper()
	file := g.caddyfile(o)
	begin := bytes.Index(file, []byte("\t\tclient my-spa {"))
	end := bytes.Index(file, []byte("\t\tclient worker {"))
	if begin < 0 || end < begin {
		g.t.Fatal("the client is not where it was")
	}
	return append(bytes.Clone(file[:begin]), file[end:]...)
}

// TOK-24: a client that is taken out between the code and its exchange, or
// between two refreshes, is none any more; what it has is not used up.
func TestClientTakenOut(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	session := g.login()
	verifier := strings.Repeat("canary-verifier-", 3)
	redeem := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"my-spa"}, "redirect_uri": {testCallback},
		"code": {g.authorize(verifier)}, "code_verifier": {verifier},
	}
	if err := g.loadCaddyfile(g.withoutClient(gatewayOptions{})); err != nil {
		t.Fatal(err)
	}
	if got := g.token(redeem); got.status != http.StatusUnauthorized || got.Error != "invalid_client" {
		t.Errorf("the code: %d %s", got.status, got.body)
	}
	if got := g.refresh(session.RefreshToken); got.status != http.StatusUnauthorized || got.Error != "invalid_client" {
		t.Errorf("the refresh token: %d %s", got.status, got.body)
	}
	if err := g.load(gatewayOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := g.token(redeem); got.AccessToken == "" {
		t.Errorf("the code when the client is back: %d %s", got.status, got.body)
	}
	if got := g.refresh(session.RefreshToken); got.AccessToken == "" {
		t.Errorf("the refresh token when the client is back: %d %s", got.status, got.body)
	}
}

// ADM-07: a reload that takes a guard away, or a client, says so in the log. A
// request that began before it is finished under the rules that it began with.
func TestReloadTakesAGuardAway(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	token := g.machineToken()
	arrived, release := make(chan struct{}), make(chan struct{})
	g.upstream.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, r.Header.Get("X-Auth-Subject"))
	})
	answered := make(chan string, 1)
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, g.API+"/slow", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Auth-Subject", "admin")
		resp, err := g.client.Do(r)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		answered <- string(body)
	}()
	<-arrived
	loaded := make(chan error, 1)
	open := g.withoutClient(gatewayOptions{API: "respond open"})
	before := len(g.logs())
	go func() { loaded <- g.loadCaddyfile(open) }()
	eventually(t, "the new configuration", func() bool {
		resp, err := http.Get(g.API + "/other")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	close(release)
	if got := <-answered; got != "worker@clients" {
		t.Errorf("the request under way was answered %q", got)
	}
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	logs := g.logs()[before:]
	for _, want := range []string{
		`"msg":"a reload has taken guards away"`, `"` + testAPI + `"`,
		`"msg":"a reload has taken clients away"`, `"my-spa"`,
	} {
		if !strings.Contains(logs, want) {
			t.Errorf("the log has no %s", want)
		}
	}
	if err := g.load(gatewayOptions{}); err != nil {
		t.Fatal(err)
	}
	before = len(g.logs())
	if err := g.load(gatewayOptions{OAuth: "session {\n lifetime 1d\n}"}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(g.logs()[before:], "a reload has taken") {
		t.Error("a reload that takes nothing away says that it does")
	}
}

// M-35: clients go on with what they have stored after a block that lets them in is gone, so an operator
// who takes it away reads what becomes of them.
func TestM35ReloadWithoutBlock(t *testing.T) {
	g := newGateway(t)
	const inside = "apis " + testAPI + "\n scopes orders:read\n}\n"
	before := 0
	for _, blocks := range []string{"client_registration {\n access open\n" + inside, ""} {
		if err := g.load(gatewayOptions{OAuth: blocks + "client_documents {\n allow https://claude.ai/\n" + inside}); err != nil {
			t.Fatal(err)
		}
		logs := g.logs()[before:]
		before += len(logs)
		said := strings.Contains(logs, "a reload has taken away what lets clients in") && strings.Contains(logs, `"blocks":["client_registration"]`)
		if said != (blocks == "") {
			t.Errorf("with %q the log says that client_registration is gone: %t", blocks, said)
		}
	}
}

// KEY-06: nothing in a request makes us fetch; only what the configuration
// names, and that not once for each request.
func TestRequestsFetchNothing(t *testing.T) {
	var fetched atomic.Int64
	canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		http.NotFound(w, nil)
	}))
	t.Cleanup(canary.Close)
	g := startGateway(t, gatewayOptions{OAuth: "client signer {\n type machine\n apis " + testAPI +
		"\n jwks_uri " + canary.URL + "/keys\n jwks_allow_private\n}"})
	eventually(t, "the fetch that the configuration asks for", func() bool { return fetched.Load() > 0 })
	before := fetched.Load()
	assertion := func(client string) url.Values {
		header := `{"alg":"ES256","kid":"x","jku":"` + canary.URL + `/a","x5u":"` + canary.URL + `/b"}`
		return url.Values{
			"grant_type": {"client_credentials"}, "client_id": {client},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {unsignedToken(header, `{"iss":"`+client+`","sub":"`+client+`","aud":"`+g.Issuer+`","exp":4000000000,"jti":"1"}`)},
		}
	}
	for range 25 {
		for _, name := range []string{"request_uri", "jwks_uri", "logo_uri", "sector_identifier_uri", "backchannel_logout_uri", "client_uri", "policy_uri"} {
			at := url.QueryEscape(canary.URL + "/" + name)
			g.do(g.request(g.url("/authorize?client_id=my-spa&response_type=code&redirect_uri="+url.QueryEscape(testCallback)+"&"+name+"="+at), nil))
		}
		g.do(g.request(g.url("/authorize?client_id="+url.QueryEscape(canary.URL+"/client")), nil)) // a client ID that is a URL
		for _, client := range []string{"signer", "nobody", canary.URL + "/client"} {
			if got := g.token(assertion(client)); got.status != http.StatusUnauthorized && got.status != http.StatusServiceUnavailable {
				t.Fatalf("%s: %d %s", client, got.status, got.body)
			}
		}
		g.call("/orders", unsignedToken(`{"typ":"at+jwt","alg":"ES256","kid":"x","jku":"`+canary.URL+`/c"}`, `{"iss":"`+canary.URL+`/"}`))
	}
	// The client's own keys may be tried again, as after any failure: rarely.
	if n := fetched.Load() - before; n > 5 {
		t.Errorf("175 requests made %d fetches", n)
	}
}
