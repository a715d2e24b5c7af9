package caddymodule

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// runWith runs `caddy oauth ...` with something on the standard input.
func (g *gateway) runWith(in string, args ...string) (out, warnings string, err error) {
	var o, e bytes.Buffer
	cmd := &cobra.Command{Use: "oauth", SilenceUsage: true}
	caddycmd.Commands()["oauth"].CobraFunc(cmd)
	cmd.SetIn(strings.NewReader(in))
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(g.t.Context())
	return o.String(), e.String(), err
}

// run runs it against the gateway, and returns both outputs.
func (g *gateway) run(args ...string) (string, error) {
	out, warnings, err := g.runWith("", append([]string{"--address", g.AdminAddr}, args...)...) // first: behind -- there are no flags
	return out + warnings, err
}

// ok runs it against the gateway; it must succeed.
func (g *gateway) ok(args ...string) (out, warnings string) {
	g.t.Helper()
	out, warnings, err := g.runWith("", append([]string{"--address", g.AdminAddr}, args...)...)
	if err != nil {
		g.t.Fatalf("caddy oauth %s: %v\n%s", strings.Join(args, " "), err, warnings)
	}
	return out, warnings
}

// TestCommandRefusesEmptyValues: a variable of the shell that is not set must
// not make a command about more than it was meant for.
func TestCommandRefusesEmptyValues(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	alice := g.login()
	for _, tt := range []struct {
		args []string
		want string // what the message names
	}{
		{[]string{"grants", "end", "local|alice", "--before", ""}, "--before is empty"},
		{[]string{"grants", "end", "local|alice", "--family", ""}, "--family is empty"},
		{[]string{"grants", "end", "local|alice", "--client", ""}, "--client is empty"},
		{[]string{"grants", "end", "--before", "2026-01-01T00:00:00Z", "--everyone", "--client", " "}, "--client is empty"},
		{[]string{"grants", "end", "local|alice", ""}, "argument 2 is empty"},
		{[]string{"grants", "end", "", "--family", "hYOaL1gOij6LtAJgvMow1A"}, "argument 1 is empty"},
		{[]string{"grants", "end", ""}, "argument 1 is empty"},
		{[]string{"grants", "list", ""}, "argument 1 is empty"},
		{[]string{"grants", "list", "local|alice", "--client", ""}, "--client is empty"},
		{[]string{"grants", "show", "hYOaL1gOij6LtAJgvMow1A", "--subject", ""}, "--subject is empty"},
		{[]string{"users", "show", ""}, "argument 1 is empty"},
		{[]string{"users", "disable", "  "}, "argument 1 is empty"},
		{[]string{"users", "enable", ""}, "argument 1 is empty"},
		{[]string{"clients", "end", ""}, "argument 1 is empty"},
		{[]string{"explain", ""}, "argument 1 is empty"},
		{[]string{"tokens", "deny", "--subject", "", "--jti", ""}, "is empty"},
		{[]string{"export", "--to", ""}, "--to is empty"},
		{[]string{"stats", "--config", ""}, "--config is empty"},
	} {
		out, err := g.run(tt.args...)
		if err == nil || !strings.Contains(err.Error(), "status 2") || !strings.Contains(out, tt.want) {
			t.Errorf("caddy oauth %q: %v, want exit code 2 and %q:\n%s", tt.args, err, tt.want, out)
		}
	}
	if alice = g.refresh(alice.RefreshToken); alice.AccessToken == "" {
		t.Errorf("something was ended: %d %s", alice.status, alice.body)
	}
}

// TestCommandIDsWithADash: ids of the log are base64url, so that some look like flags.
func TestCommandIDsWithADash(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	alice := g.login()
	for _, args := range [][]string{
		{"explain", "-YaL1gOij6LtAJgvMow1A"},
		{"explain", "--YaL1gOij6LtAJgvMow1A"},
		{"explain", "-aYL1gOij6LtAJgvMow1A"},
		{"grants", "end", "local|alice", "-YaL1gOij6LtAJgvMow1A"},
		{"grants", "end", "local|alice", "-aYL1gOij6LtAJgvMow1A"},
		{"grants", "end", "local|alice", "-cYL1gOij6LtAJgvMow1A"},
	} {
		out, err := g.run(args...)
		if err == nil || !strings.Contains(err.Error(), "status 2") || !strings.Contains(out, "explain -- -YaL1gOij6LtAJgvMow1A") {
			t.Errorf("caddy oauth %q: %v\n%s", args, err, out)
		}
	}
	if alice = g.refresh(alice.RefreshToken); alice.AccessToken == "" {
		t.Errorf("something was ended: %d %s", alice.status, alice.body)
	}
	if _, _, err := g.runWith("", "explain", "--address", g.AdminAddr, "--", "-YaL1gOij6LtAJgvMow1A"); err == nil || !strings.Contains(err.Error(), "nothing is known") {
		t.Errorf("with the dashes: %v", err)
	}
}

func TestCommands(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	g.login()
	g.call("/orders", g.machineToken())
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"grants list", []string{"grants", "list", "local|alice"}, []string{"FAMILY", "my-spa"}},
		{"grants list as JSON", []string{"grants", "list", "local|alice", "--json"}, []string{`"client": "my-spa"`, `"generation": 1`}},
		{"version", []string{"version"}, []string{"(devel)"}},
		{"stats", []string{"stats"}, []string{"version", "issuer", g.Issuer, "token checks: ok", "ES256", "RS256"}},
		{"stats as JSON", []string{"stats", "--json"}, []string{`"token_checks"`, `"configurations": 1`}},
		{"keys rotate", []string{"keys", "rotate"}, []string{"ES256", "next", "current"}},
		{"grants end", []string{"grants", "end", "local|alice"}, []string{"ended: 1 refresh token family, the sessions, and every access token"}},
		{"grants end again", []string{"grants", "end", "local|alice"}, []string{"ended: 0 refresh token families"}},
		{"grants list when there are none", []string{"grants", "list", "local|alice"}, []string{"local|alice is signed in at no application"}},
		{"consents list when there are none", []string{"consents", "list", "local|alice"}, []string{"local|alice has agreed to nothing"}},
		{"consents withdraw when there are none", []string{"consents", "withdraw", "local|alice", "my-spa"}, []string{"local|alice had agreed to nothing at my-spa"}},
		{"clients end", []string{"clients", "end", "my-spa"}, []string{"ended: everything that my-spa held"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := g.run(tt.args...)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("the output has no %q:\n%s", want, out)
				}
			}
		})
	}
	for _, args := range [][]string{
		{"grants", "list"},
		{"grants", "end", "a", "b", "c"},
		{"grants", "end", "a", "b"},
		{"stats", "more"},
		{"nonsense"},
		{"grants", "nonsense"},
		{"grants"},
		{},
		{"grants", "list", "a", "--client", "b"},
		{"grants", "end"},
		{"grants", "end", "--client", "my-spa"},
		{"grants", "end", "--everyone"},
		{"grants", "end", "a", "b", "--family", "c"},
		{"grants", "end", "a", "--before", "yesterday"},
		{"stats", "--nonsense"},
		{"tokens", "deny", "--jti", "x"},
		{"tokens", "deny"},
		{"export"},
		{"export", "--to", "x", "--undo"},
		{"import"},
		{"import", "--from", "x"},
	} {
		out, err := g.run(args...)
		if err == nil || !strings.Contains(err.Error(), "status 2") {
			t.Errorf("caddy oauth %s: %v, want exit code 2:\n%s", strings.Join(args, " "), err, out)
		}
		if len(out) < 20 {
			t.Errorf("caddy oauth %s does not say what is wrong: %q", strings.Join(args, " "), out)
		}
	}
}

func TestCommandWithoutAServer(t *testing.T) {
	g := newGateway(t)
	if _, err := g.run("stats"); err == nil || !strings.Contains(err.Error(), g.AdminAddr) {
		t.Errorf("error %v, want the address in it", err)
	}
}

func TestSecretCommand(t *testing.T) {
	g := newGateway(t)
	out, err := g.run("secret", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		ClientSecret  string `json:"client_secret"`
		SecretHash    string `json:"secret_hash"`
		GatewaySecret string `json:"gateway_secret"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if made.SecretHash != clients.HashSecret(made.ClientSecret) || checkSecretHash(made.SecretHash) != nil {
		t.Errorf("%s is not a good hash of the client secret", made.SecretHash)
	}
	if err := checkSecrets([]string{made.GatewaySecret}); err != nil {
		t.Errorf("the gateway secret: %v", err)
	}
	again, err := g.run("secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sha256:", "secret_hash", "GATEHOUSE_SECRET"} {
		if !strings.Contains(again, want) {
			t.Errorf("the output has no %q:\n%s", want, again)
		}
	}
	if strings.Contains(again, made.ClientSecret) || strings.Contains(again, made.GatewaySecret) {
		t.Error("the same secret twice")
	}
}
