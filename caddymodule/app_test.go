package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"
)

const (
	testBcrypt = "$2a$04$5D1fGyBHeOPSkzPVNwMO9uJ8qy.9oOKlsLpfnpVnQxwcJ7bTTBqWG"
	testSHA256 = "sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	testSecret = "0123456789abcdef0123456789abcdef"
)

// provisionErrors are what shows only when a configuration is loaded.
var provisionErrors = []struct{ name, config, want string }{
	{"what Check finds", `"clients":[{"id":"a"}]`, "client a: it needs a type: "},
	{"secret that is not set", `"secrets":["{env.GATEHOUSE_TEST_NONE}"]`, "secret: {env.GATEHOUSE_TEST_NONE} is not set, or empty: "},
	{"secret that is empty", `"secrets":["{env.GATEHOUSE_TEST_EMPTY}"]`, "secret: {env.GATEHOUSE_TEST_EMPTY} is not set, or empty: "},
	{"secret that is short", `"secrets":["{env.GATEHOUSE_TEST_SHORT}"]`, "secret: {env.GATEHOUSE_TEST_SHORT} has 7 bytes and needs at least 32: "},
	{"secret in no file", `"secrets":["{file.testdata/none}"]`, "secret: {file.testdata/none} is empty or cannot be read: "},
	{
		"client hash that is not set", `"apis":[{"identifier":"a"}],"clients":[{"id":"a","type":"machine","apis":["a"],"secret_hashes":["{env.GATEHOUSE_TEST_NONE}"]}]`,
		"client a: secret_hash: {env.GATEHOUSE_TEST_NONE} is not set, or empty: ",
	},
	{
		"client hash that is a secret", `"apis":[{"identifier":"a"}],"clients":[{"id":"a","type":"machine","apis":["a"],"secret_hashes":["{env.GATEHOUSE_TEST_SHORT}"]}]`,
		"client a: secret_hash: {env.GATEHOUSE_TEST_SHORT} is not a hash: ",
	},
	{
		"client key that is not set", `"apis":[{"identifier":"a"}],"clients":[{"id":"a","type":"machine","apis":["a"],"public_keys":["{env.GATEHOUSE_TEST_NONE}"]}]`,
		"client a: public_key: {env.GATEHOUSE_TEST_NONE} is not set, or empty: ",
	},
	{
		"client key that is none", `"apis":[{"identifier":"a"}],"clients":[{"id":"a","type":"machine","apis":["a"],"public_keys":["{env.GATEHOUSE_TEST_SHORT}"]}]`,
		"client a: public_key: {env.GATEHOUSE_TEST_SHORT} is not a public key: ",
	},
	{
		"user hash that is not set", `"logins":[{"module":"local","users":[{"id":"alice","hash":"{env.GATEHOUSE_TEST_NONE}"}]}]`,
		"login local: user alice: {env.GATEHOUSE_TEST_NONE} is not set, or empty: ",
	},
	{
		"user hash that is a password", `"logins":[{"module":"local","users":[{"id":"alice","hash":"{env.GATEHOUSE_TEST_SHORT}"}]}]`,
		"login local: user alice: {env.GATEHOUSE_TEST_SHORT} is not a bcrypt or argon2id hash: ",
	},
	{
		"users file with a placeholder", `"logins":[{"module":"local","users_file":"{env.GATEHOUSE_TEST_NONE}/users"}]`,
		"login local: users_file: {env.GATEHOUSE_TEST_NONE}/users has a placeholder without a value: ",
	},
	{
		"provider secret that is not set", `"logins":[{"module":"oidc","issuer":"https://login.example.com/","client_id":"a","client_secrets":["{env.GATEHOUSE_TEST_NONE}"]}]`,
		"login oidc: client_secret: {env.GATEHOUSE_TEST_NONE} is not set, or empty: ",
	},
	{
		"secret of GitHub that is not set", `"logins":[{"module":"github","client_id":"a","client_secrets":["{env.GATEHOUSE_TEST_NONE}"],"allow":[{"what":"anyone"}]}]`,
		"login github: client_secret: {env.GATEHOUSE_TEST_NONE} is not set, or empty: ",
	},
	{"GitHub without an allow line", `"logins":[{"module":"github","client_id":"a","client_secrets":["hunter2"]}]`, "login github: anybody can make an account at GitHub: "},
	{
		"provider key in no file", `"logins":[{"module":"oidc","issuer":"https://login.example.com/","client_id":"a","client_key":"/nowhere/key.pem"}]`,
		"login oidc: client_key: open /nowhere/key.pem",
	},
	{
		"provider certificates in no file", `"logins":[{"module":"oidc","issuer":"https://login.example.com/","client_id":"a","client_secrets":["hunter2"],"ca":"/nowhere/ca.pem"}]`,
		"login oidc: reading ca: open /nowhere/ca.pem",
	},
	{"login without users", `"logins":[{"module":"local"}]`, "login local: it has no users: "},
	{"login that is not there", `"logins":[{"module":"ldap"}]`, "loading a login: "},
	{"login that is no object", `"logins":[5]`, "loading a login: "},
	{"store that is not there", `"store":{"module":"memory"}`, "loading the store: "},
}

func TestProvisionErrors(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_EMPTY", "")
	t.Setenv("GATEHOUSE_TEST_SHORT", "hunter2")
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	for _, tt := range provisionErrors {
		t.Run(tt.name, func(t *testing.T) {
			err := validateApp(t, tt.config)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Validate() = %v, want %s…", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// TestUsersFileIsReadByValidate: S27: `caddy validate` says that the users file is missing, or
// that none of its lines can be used, before a start does.
func TestUsersFileIsReadByValidate(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "users")
	for text, want := range map[string]string{
		"":                                   "no such file",
		"bob\n":                              file + ":1: the line is not name:hash",
		"bob\ncarol:" + testBcrypt + "\n":    "",
		"# nobody yet\n":                     "",
		"bob:$apr1$x$y\ncarol:{SHA}secret\n": file + ":1: the hash is neither",
	} {
		if text != "" {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := validateApp(t, `"logins":[{"module":"local","users_file":"`+file+`"}]`)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: Validate() = %v, want %s", text, err, want)
		}
		_ = os.Remove(file)
	}
}

// TestProvision validates a whole configuration, which leaves nothing behind.
func TestProvision(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_DATA_HOME", dir)
	t.Setenv("GATEHOUSE_TEST_SECRET", testSecret)
	t.Setenv("GATEHOUSE_TEST_HASH", testSHA256)
	files := t.TempDir()
	t.Setenv("GATEHOUSE_TEST_DIR", files)
	for name, text := range map[string]string{"hash": testBcrypt + "\n", "users": "bob:" + testBcrypt + "\n"} {
		if err := os.WriteFile(filepath.Join(files, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := validateApp(t, `
		"secrets": ["{env.GATEHOUSE_TEST_SECRET}"],
		"logins": [{"module":"local","users":[{"id":"alice","hash":"{file.`+filepath.Join(files, "hash")+`}"}],"users_file":"{env.GATEHOUSE_TEST_DIR}/users"}],
		"apis": [{"identifier":"https://api.example.com","scopes":["read"],"allow_offline_access":true}],
		"clients": [
			{"id":"spa","type":"spa","redirect_uris":["https://app.example.com/cb"],"apis":["https://api.example.com"]},
			{"id":"machine","type":"machine","apis":["https://api.example.com"],"secret_hashes":["{env.GATEHOUSE_TEST_HASH}"]}
		]`)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("validating left %v, %v", left, err)
	}
}

// validateApp provisions a configuration as `caddy validate` does.
func validateApp(t *testing.T, config string) error {
	t.Helper()
	app := `{"issuer":"https://auth.example.com/",` + config + `}`
	if !json.Valid([]byte(app)) {
		t.Fatalf("not JSON: %s", app)
	}
	return caddy.Validate(&caddy.Config{
		Admin:      &caddy.AdminConfig{Disabled: true},
		StorageRaw: json.RawMessage(`{"module":"file_system","root":` + string(must(json.Marshal(t.TempDir()))) + `}`),
		AppsRaw:    caddy.ModuleMap{"oauth": json.RawMessage(app)},
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestResolveSecrets(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_SECRET", "  "+testSecret+"\n")
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("file-"+testSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	core, logs := zapobserver.New(zap.DebugLevel)
	literal := "{braces}-" + testSecret
	got, err := resolveSecrets(zap.New(core), []string{"{env.GATEHOUSE_TEST_SECRET}", "{file." + file + "}", literal})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "secrets", got, []string{testSecret, "file-" + testSecret, literal})
	entries := logs.All()
	if len(entries) != 1 || entries[0].Level != zap.WarnLevel || entries[0].ContextMap()["number"] != int64(3) {
		t.Errorf("logged %v, want one warning of number 3", entries)
	}
	for _, e := range entries {
		if strings.Contains(e.Message, testSecret) {
			t.Errorf("the log shows a secret: %s", e.Message)
		}
	}
}
