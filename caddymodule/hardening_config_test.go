package caddymodule

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// The attacks of group ADM that are mistakes of operators: whatever is wrong
// with a configuration stops it, and never only warns.

// adaptOnly adapts a Caddyfile and returns its error.
func adaptOnly(file string) error {
	_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(file), nil)
	return err
}

// ADM-04: what TestAdapt cannot hold as golden text: every good Caddyfile of its
// files, with each line without what follows its first word, with each line
// twice, or with an unknown word after it, adapts or is refused with its line,
// and nothing panics. FuzzUnmarshalCaddyfile goes on from there.
func TestBrokenCaddyfiles(t *testing.T) {
	line := regexp.MustCompile(`Caddyfile:\d+`)
	checked := 0
	try := func(path, name, file string) {
		t.Helper()
		checked++
		err := adaptOnly(file)
		if err != nil && !line.MatchString(err.Error()) && !strings.Contains(err.Error(), "heredoc") { // Caddy's own says "on line"
			t.Errorf("%s: %s: the error has no line: %v\n%s", path, name, err, file)
		}
	}
	for _, path := range goldenFiles(t) {
		for _, c := range readGolden(t, path) {
			if !c.wantsJSON() {
				continue
			}
			lines := strings.Split(c.caddyfile, "\n")
			for i, text := range lines {
				words := strings.Fields(text)
				if len(words) == 0 || words[0] == "}" || words[0][0] == '#' || words[0][0] == '@' { // matchers are Caddy's
					continue
				}
				with := func(replacement ...string) string {
					all := append(append(append([]string{}, lines[:i]...), replacement...), lines[i+1:]...)
					return strings.Join(all, "\n") + "\n"
				}
				opens := ""
				if words[len(words)-1] == "{" {
					opens = " {"
				}
				try(path, c.name, with(words[0]+opens))
				try(path, c.name, with(strings.TrimSuffix(text, "{")+` ""`+opens))
				try(path, c.name, with(strings.TrimSuffix(text, "{")+" no_such_word"+opens))
				if opens == "" {
					try(path, c.name, with(text, text))
				}
			}
		}
	}
	if checked < 1000 {
		t.Errorf("only %d Caddyfiles were tried", checked)
	}
}

// ADM-04: a Caddyfile of more than 1 MiB adapts as a small one does, and an
// error in it has its line.
func TestLargeCaddyfile(t *testing.T) {
	var b strings.Builder
	b.WriteString("{\n\toauth {\n\t\tissuer https://auth.example.com/\n\t\tlogin local {\n\t\t\tusers_file users\n\t\t}\n")
	for b.Len() < 1<<20 {
		n := b.Len()
		for range 100 {
			b.WriteString("\t\tclient c" + strings.Repeat("x", 30) + strconv.Itoa(n) + " {\n\t\t\ttype spa\n\t\t\tredirect_uris https://a.example.com/cb\n\t\t}\n")
			n = b.Len()
		}
	}
	if err := adaptOnly(b.String() + "\t}\n}\n"); err != nil {
		t.Fatalf("%d clients: %.300v", strings.Count(b.String(), "client "), err)
	}
	err := adaptOnly(b.String() + "\t\tclient\n\t}\n}\n")
	want := "Caddyfile:" + strconv.Itoa(strings.Count(b.String(), "\n")+1)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %.300v, want %s in it", err, want)
	}
}

// ADM-05, ADM-06: each of these is an error before anything is served. What
// further errors there are is in the golden files.
func TestUnsafeConfigurations(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_EMPTY", "")
	if err := os.Unsetenv("GATEHOUSE_TEST_UNSET"); err != nil {
		t.Fatal(err)
	}
	g := newGateway(t)
	empty := filepath.Join(g.dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := func(lines string) gatewayOptions {
		return gatewayOptions{OAuth: "client other {\n" + lines + "\n}"}
	}
	for _, tt := range []struct {
		name    string
		options gatewayOptions
		want    string
	}{
		{"ADM-05 secret of 31 bytes", gatewayOptions{Secret: strings.Repeat("s", 31)}, "32"},
		{"ADM-05 audience that is empty", gatewayOptions{API: "bearer_auth {\n audience \"\"\n}"}, "audience"},
		{"ADM-05 no audience", gatewayOptions{API: "bearer_auth"}, "audience"},
		{"ADM-05 algorithm none", gatewayOptions{OAuth: "signing {\n access_token_algorithm none\n}"}, "access_token_algorithm"},
		{"ADM-05 algorithm with a shared key", gatewayOptions{OAuth: "signing {\n id_token_algorithm HS256\n}"}, "id_token_algorithm"},
		{"ADM-05, RED-06 wildcard for a host", client("type spa\nredirect_uris https://*.example.com/cb"), "wildcard"},
		{"RED-06 wildcard for a path", client("type spa\nredirect_uris https://app.example.com/*"), "wildcard"},
		{"RED-06 wildcard for all", client("type spa\nredirect_uris *"), "redirect_uris"},
		{"RED-06 wildcard in a logout URI", client("type spa\nredirect_uris https://app.example.com/cb\nlogout_uris https://*.example.com/"), "wildcard"},
		{"ADM-06 secret of an unset variable", gatewayOptions{Secret: "{env.GATEHOUSE_TEST_UNSET}"}, "GATEHOUSE_TEST_UNSET"},
		{"ADM-06 secret of an empty variable", gatewayOptions{Secret: "{env.GATEHOUSE_TEST_EMPTY}"}, "GATEHOUSE_TEST_EMPTY"},
		{"ADM-06 secret of an empty file", gatewayOptions{Secret: "{file." + empty + "}"}, empty},
		{"ADM-06 secret of no file", gatewayOptions{Secret: "{file." + empty + ".none}"}, empty + ".none"},
		{"ADM-06 second secret of an unset variable", gatewayOptions{Secret: g.Secret + " {env.GATEHOUSE_TEST_UNSET}"}, "GATEHOUSE_TEST_UNSET"},
		{"ADM-06 hash of a client's secret", client("type machine\napis https://api.example.com\nsecret_hash {env.GATEHOUSE_TEST_UNSET}"), "GATEHOUSE_TEST_UNSET"},
		{"ADM-06 hash of a user", gatewayOptions{OAuth: "login local staff {\n user bob {env.GATEHOUSE_TEST_UNSET}\n}"}, "GATEHOUSE_TEST_UNSET"},
		{"CLI-18 a secret where its hash belongs", client("type machine\napis https://api.example.com\nsecret_hash " + g.Machine), "secret_hash"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(g.caddyfile(tt.options), nil)
			if err == nil {
				err = validateConfig(t, config)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), g.Machine) || strings.Contains(err.Error(), g.Secret)) {
				t.Error("the error holds a secret")
			}
		})
	}
	if files := storeFiles(t, g); len(files) != 0 {
		t.Errorf("there are files of what never started: %v", files)
	}
}

// The dispenser of a directive that is not in a site has no file; its errors
// must not panic for that.
func TestErrorsWithoutAFile(t *testing.T) {
	for _, text := range []string{"bearer_auth x", "bearer_auth {\n audience\n}", "bearer_auth {\n"} {
		if err := new(BearerAuth).UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err == nil {
			t.Errorf("%q passes", text)
		}
	}
}
