package caddymodule

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// tryLogin signs alice in, and returns the page that she gets when it fails.
func (g *gateway) tryLogin() string {
	g.t.Helper()
	query := url.Values{
		"response_type": {"code"}, "client_id": {"my-spa"}, "redirect_uri": {testCallback}, "scope": {"openid"}, "prompt": {"login"},
		"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"},
	}
	resp, page := g.do(g.request(g.url("/authorize?"+query.Encode()), nil))
	ticket := ticketField.FindStringSubmatch(page)
	if ticket == nil {
		g.t.Fatalf("no login page: %d", resp.StatusCode)
	}
	form := url.Values{"request": {ticket[1]}, "login": {"local"}, "username": {"alice"}, "password": {testPassword}, "action": {"login"}}
	_, page = g.do(g.request(g.url("/login"), form, "Origin", strings.TrimSuffix(g.Issuer, "/")))
	return page
}

func TestDisabledUser(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	alice := g.login()
	out, _ := g.ok("users", "show", "local|alice")
	if !strings.Contains(out, "disabled         no") || !strings.Contains(out, "grants           1") {
		t.Errorf("before:\n%s", out)
	}
	if out, _ := g.ok("users", "disable", "local|alice"); !strings.Contains(out, "local|alice is disabled; ended: 1 refresh token family") {
		t.Errorf("disable:\n%s", out)
	}
	if answer := g.refresh(alice.RefreshToken); answer.Error != "invalid_grant" {
		t.Errorf("refresh: %d %s", answer.status, answer.body)
	}
	if resp, _ := g.call("/orders", alice.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("guarded call: %d, want 401", resp.StatusCode)
	}
	if page := g.tryLogin(); !strings.Contains(page, "This account is disabled") {
		t.Errorf("login:\n%s", page)
	}
	// It survives a restart.
	if err := g.load(gatewayOptions{OAuth: "session {\n lifetime 9h\n}"}); err != nil {
		t.Fatal(err)
	}
	if page := g.tryLogin(); !strings.Contains(page, "This account is disabled") {
		t.Errorf("login after a reload:\n%s", page)
	}
	if out, _ := g.ok("users", "disabled"); out != "local|alice\n" {
		t.Errorf("disabled users:\n%s", out)
	}
	if out, _ := g.ok("users", "show", "local|alice", "--json"); !strings.Contains(out, `"disabled": true`) {
		t.Errorf("disabled:\n%s", out)
	}
	if out, _ := g.ok("users", "enable", "local|alice"); out != "local|alice may log in again\n" {
		t.Errorf("enable:\n%s", out)
	}
	if out, _ := g.ok("users", "enable", "local|alice"); out != "local|alice was not disabled\n" {
		t.Errorf("enable again:\n%s", out)
	}
	if answer := g.refresh(alice.RefreshToken); answer.Error != "invalid_grant" {
		t.Errorf("refresh of what was ended: %d %s", answer.status, answer.body)
	}
	if resp, _ := g.call("/orders", g.login().AccessToken); resp.StatusCode != http.StatusOK {
		t.Errorf("guarded call once enabled: %d", resp.StatusCode)
	}
	if logs := g.logs(); !strings.Contains(logs, `"disable_user"`) || !strings.Contains(logs, `"enable_user"`) || !strings.Contains(logs, `"client_ip":"127.0.0.1"`) {
		t.Error("the audit is missing in the log")
	}
}

func TestDisabledMachine(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	before := g.machineToken()
	g.ok("users", "disable", "worker@clients")
	for name, token := range map[string]string{"before": before, "after": g.machineToken()} {
		if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("a token from %s: %d, want 401", name, resp.StatusCode)
		}
	}
	g.ok("users", "enable", "worker@clients")
	time.Sleep(time.Second) // tokens of the very second of the end are denied
	if resp, _ := g.call("/orders", g.machineToken()); resp.StatusCode != http.StatusOK {
		t.Errorf("once enabled: %d", resp.StatusCode)
	}
}

// TestDisabledWithoutProfile: who has no profile is listed by a hash, which the
// commands take.
func TestDisabledWithoutProfile(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	g.ok("users", "disable", "google|1234", "--force")
	hash := storage.TagSubject("google|1234").String()
	if out, _ := g.ok("users", "disabled"); out != "(user "+hash+")\n" {
		t.Errorf("disabled users:\n%s", out)
	}
	of := func(command string) string { // the hash may begin with a dash
		out, warnings, err := g.runWith("", "users", command, "--address", g.AdminAddr, "--", hash)
		if err != nil || warnings != "" {
			t.Errorf("%s: %v\n%s", command, err, warnings)
		}
		return out
	}
	if out := of("show"); !strings.Contains(out, "disabled         yes") || !strings.Contains(out, hash) {
		t.Errorf("show:\n%s", out)
	}
	if out := of("enable"); out != "(user "+hash+") may log in again\n" {
		t.Errorf("enable:\n%s", out)
	}
	if out, _ := g.ok("users", "show", "google|1234"); !strings.Contains(out, "disabled         no") {
		t.Errorf("enabled:\n%s", out)
	}
	if !strings.Contains(g.logs(), `"outcome":"enable_user","user":"`+hash+`"`) {
		t.Error("the audit does not name the user")
	}
	g.login()
	hash = storage.TagSubject("local|alice").String()
	if out := of("show"); !strings.Contains(out, "subject          local|alice") || !strings.Contains(out, "grants           1") {
		t.Errorf("a hash of somebody known:\n%s", out)
	}
	if out := of("disable"); out != "local|alice is disabled; ended: 1 refresh token family, the sessions, and every access token\n" {
		t.Errorf("disable:\n%s", out)
	}
	if out, _ := g.ok("users", "disabled"); out != "local|alice\n" {
		t.Errorf("disabled users:\n%s", out)
	}
}

func TestDenyToken(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	one, two, other := g.machineToken(), g.machineToken(), g.machineToken()
	out, _, err := g.runWith("Bearer "+one+"\n", "tokens", "deny", "--address", g.AdminAddr)
	if err != nil || !strings.Contains(out, "of worker@clients") {
		t.Fatalf("%v %s", err, out)
	}
	g.ok("tokens", "deny", "--subject", "worker@clients", "--jti", claim(t, two, "jti"))
	for name, c := range map[string]struct {
		token string
		want  int
	}{"by its text": {one, http.StatusUnauthorized}, "by its jti": {two, http.StatusUnauthorized}, "another": {other, http.StatusOK}} {
		if resp, _ := g.call("/orders", c.token); resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, c.want)
		}
	}
	for name, in := range map[string]string{"garbage": "canary-garbage", "a refresh token": g.login().RefreshToken, "nothing": ""} {
		out, warnings, err := g.runWith(in, "tokens", "deny", "--address", g.AdminAddr)
		if err == nil || in != "" && strings.Contains(out+warnings+err.Error(), in) {
			t.Errorf("%s: %v\n%s%s", name, err, out, warnings)
		}
	}
	if logs := g.logs(); strings.Contains(logs, one) || strings.Contains(logs, "canary-garbage") {
		t.Error("a token is in the log")
	}
}

func TestDropKey(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	token := g.machineToken()
	if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusOK {
		t.Fatalf("before: %d", resp.StatusCode)
	}
	var header struct {
		KeyID string `json:"kid"`
	}
	decodePart(t, token, 0, &header)
	if out, _ := g.ok("keys", "list"); !strings.Contains(out, header.KeyID) {
		t.Errorf("keys:\n%s", out)
	}
	if out, _ := g.ok("keys", "drop", header.KeyID); strings.Contains(out, header.KeyID) || !strings.Contains(out, "current") {
		t.Errorf("after the drop:\n%s", out)
	}
	if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token of the dropped key, which was seen before: %d, want 401", resp.StatusCode)
	}
	if resp, _ := g.call("/orders", g.machineToken()); resp.StatusCode != http.StatusOK {
		t.Errorf("a token of its successor: %d", resp.StatusCode)
	}
	if _, _, err := g.runWith("", "keys", "drop", header.KeyID, "--address", g.AdminAddr); err == nil || strings.Contains(err.Error(), "status 2") {
		t.Errorf("dropping it again: %v, want exit code 1", err)
	}
}

func TestGrantsOfAClient(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	g.login()
	g.login()
	out, _ := g.ok("grants", "list", "--client", "my-spa")
	if strings.Count(out, "local|alice") != 2 || !strings.Contains(out, "ENDS UNUSED") || !strings.Contains(out, "2 grants; 1 user looked at") {
		t.Errorf("grants of the client:\n%s", out)
	}
	if out, warnings := g.ok("grants", "list", "--client", "worker"); out != "nobody is signed in at worker\n" || warnings != "" {
		t.Errorf("grants of another client:\n%s%s", out, warnings)
	}
	lines, _ := g.ok("grants", "list", "--client", "my-spa", "--json")
	var line struct {
		Grant adminapi.Grant `json:"grant"`
	}
	if err := json.Unmarshal([]byte(strings.SplitN(lines, "\n", 2)[0]), &line); err != nil || line.Grant.Subject != "local|alice" || line.Grant.IdleExpires.IsZero() {
		t.Fatalf("%v:\n%s", err, lines)
	}
	for _, args := range [][]string{{"grants", "show", line.Grant.Family}, {"grants", "show", line.Grant.Family, "--subject", "local|alice"}} {
		if out, _ := g.ok(args...); !strings.Contains(out, "local|alice") || !strings.Contains(out, line.Grant.Family) {
			t.Errorf("%v:\n%s", args, out)
		}
	}
	if out, _ := g.ok("grants", "end", "--family", line.Grant.Family); !strings.Contains(out, "ended: 1 ") {
		t.Errorf("ending it:\n%s", out)
	}
	for _, more := range [][]string{nil, {"--json"}, {"--subject", "local|alice"}, {"--subject", "local|alice", "--json"}} {
		args := append([]string{"grants", "show", "--address", g.AdminAddr}, append(more, "--", line.Grant.Family)...)
		if out, _, err := g.runWith("", args...); err == nil || out != "" || !strings.Contains(err.Error(), "no grant with the family "+line.Grant.Family) {
			t.Errorf("the ended grant, %v: %v\n%s", more, err, out)
		}
	}
	g.ok("clients", "end", "my-spa")
	if out, _ := g.ok("grants", "list", "--client", "my-spa"); !strings.HasPrefix(out, "nobody") {
		t.Errorf("grants of the ended client:\n%s", out)
	}
}

func TestEndUntilATime(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	old := g.login()
	cut := time.Unix(tokenTime(t, old.AccessToken), 0)
	for !time.Now().After(cut.Add(1100 * time.Millisecond)) {
		time.Sleep(20 * time.Millisecond) // the next login is of a later second
	}
	young := g.login()
	at := cut.UTC().Format(time.RFC3339)
	if out, _ := g.ok("grants", "end", "--client", "worker", "--before", at); !strings.Contains(out, "0 sessions and 0 refresh token families; 1 user") {
		t.Errorf("of another client:\n%s", out)
	}
	if out, _ := g.ok("grants", "end", "--everyone", "--before", cut.Add(-time.Minute).UTC().Format(time.RFC3339)); !strings.Contains(out, "0 sessions and 0 refresh") {
		t.Errorf("before all logins:\n%s", out)
	}
	if out, _ := g.ok("grants", "end", "--everyone", "--before", at, "--json"); !strings.Contains(out, `"ended":1`) {
		t.Errorf("everyone:\n%s", out)
	}
	if answer := g.refresh(old.RefreshToken); answer.Error != "invalid_grant" {
		t.Errorf("refresh of the old login: %d %s", answer.status, answer.body)
	}
	if resp, _ := g.call("/orders", old.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("access token of the old login: %d, want 401", resp.StatusCode)
	}
	if young = g.refresh(young.RefreshToken); young.AccessToken == "" {
		t.Fatalf("refresh of the young login: %d %s", young.status, young.body)
	}
	if out, _ := g.ok("grants", "end", "local|alice", "--before", time.Now().UTC().Format(time.RFC3339)); !strings.Contains(out, "ended: 1 session and 1 refresh") {
		t.Errorf("one user:\n%s", out)
	}
}

// decodePart reads a part of a token.
func decodePart(t *testing.T, token string, part int, v any) {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[part])
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, token, name string) string {
	t.Helper()
	claims := map[string]any{}
	decodePart(t, token, 1, &claims)
	return fmt.Sprint(claims[name])
}

func tokenTime(t *testing.T, token string) int64 {
	t.Helper()
	var claims struct {
		AuthTime int64 `json:"auth_time"`
	}
	decodePart(t, token, 1, &claims)
	return claims.AuthTime
}
