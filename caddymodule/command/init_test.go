package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runInit runs `caddy oauth init` with answers, and returns what it wrote and said.
func runInit(t *testing.T, answers string, args ...string) (file, said string, err error) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "first")
	cmd := initCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetIn(strings.NewReader(answers))
	cmd.SetArgs(append(args, "--to", to))
	err = cmd.Execute()
	text, _ := os.ReadFile(to)
	return string(text), out.String(), err
}

func TestInit(t *testing.T) {
	for _, tt := range []struct {
		name, answers string
		args          []string
		file, said    []string
	}{
		{
			"the usual answers", "",
			[]string{"--yes"},
			[]string{"issuer https://auth.example.com/\n", "user alice $2a$", "reverse_proxy localhost:9000"},
			[]string{"sign in as alice with the password", "--adapter caddyfile"},
		},
		{
			"answers, one of them wrong at first", "\nnonsense\nhttps://api.acme.com\n\n\n-\n", nil,
			[]string{"issuer https://auth.example.com/\n", "\napi.acme.com {", "audience https://api.acme.com\n"},
			[]string{`"nonsense" is not a URL`},
		},
		{
			"flags for some, a provider, Redis", "https://app.acme.com/cb\n",
			[]string{"--issuer", "https://id.acme.com/", "--api", "https://api.acme.com", "--upstream", "10.0.0.5:80", "--provider", "https://acme.okta.com", "--redis", "redis:6379"},
			[]string{"login oidc company https://acme.okta.com {", "address redis:6379", "secret {env.GATEHOUSE_SECRET}", "redirect_uris https://app.acme.com/cb", "logout_uris https://app.acme.com/\n"},
			[]string{"redirect URI https://id.acme.com/callback/company", "export GATEHOUSE_SECRET="},
		},
		{
			"on this machine", "",
			[]string{"--yes", "--issuer", "http://localhost:8080/", "--api", "http://localhost:8082", "--app", "http://localhost:8081/"},
			[]string{"\nhttp://localhost:8080 {", "\nhttp://localhost:8082 {"},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, said, err := runInit(t, tt.answers, tt.args...)
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			for _, want := range tt.file {
				if !strings.Contains(file, want) {
					t.Errorf("the file has no %q:\n%s", want, file)
				}
			}
			for _, want := range tt.said {
				if !strings.Contains(said, want) {
					t.Errorf("it did not say %q:\n%s", want, said)
				}
			}
		})
	}
}

func TestInitRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, answers string
		args          []string
		want          string
	}{
		{"no answer", "https://auth.acme.com/\n", nil, "use --api, or --yes"},
		{"a wrong flag", "", []string{"--yes", "--issuer", "auth.acme.com"}, `--issuer: "auth.acme.com" is not a URL`},
		{"what would end a block", "", []string{"--yes", "--upstream", "a }"}, "--upstream"},
		{"an issuer that cannot be", "", []string{"--yes", "--issuer", "http://auth.acme.com/"}, "these answers make no configuration"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, said, err := runInit(t, tt.answers, tt.args...)
			if err == nil || !strings.Contains(said, tt.want) || file != "" {
				t.Errorf("%v, want an error with %q and no file:\n%s\n%s", err, tt.want, said, file)
			}
		})
	}
	there := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(there, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := initCommand()
	cmd.SetErr(new(bytes.Buffer))
	cmd.SetArgs([]string{"--yes", "--to", there})
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "already there") {
		t.Errorf("a file that is there: %v", err)
	}
	if kept, _ := os.ReadFile(there); string(kept) != "mine" {
		t.Errorf("it was overwritten: %q", kept)
	}
}
