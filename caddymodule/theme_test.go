package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An operator's folder is read when the configuration is: `caddy validate` says what is wrong in it.
func TestThemeFolder(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_PAGES", t.TempDir())
	dir := os.Getenv("GATEHOUSE_TEST_PAGES")
	config := func(folder string) []byte {
		return []byte(adapt(t, fmt.Sprintf(`{
	admin off
	oauth {
		issuer http://127.0.0.1:8099/
		store bolt %s
		theme {
			folder %s
		}
	}
}

http://127.0.0.1:8099 {
	oauth_server
}`, filepath.Join(t.TempDir(), "test.db"), folder)))
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("de.json", `{"SignIn": "Einloggen"}`)
	for _, folder := range []string{dir, "{env.GATEHOUSE_TEST_PAGES}"} {
		if err := validateConfig(t, config(folder)); err != nil {
			t.Errorf("%s: %v", folder, err)
		}
	}
	write("fr.json", `{"SignOn": "Entrer"}`)
	for folder, want := range map[string]string{
		dir:                            `theme: folder: fr.json: there is no text "SignOn"`,
		filepath.Join(dir, "none"):     "theme: folder: stat " + filepath.Join(dir, "none") + ": no such file or directory",
		"{env.GATEHOUSE_TEST_NOT_SET}": "theme: folder: {env.GATEHOUSE_TEST_NOT_SET} has a placeholder without a value",
		filepath.Join(dir, "fr.json"):  "theme: folder: reading it: ",
	} {
		if err := validateConfig(t, config(folder)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", folder, err, want)
		}
	}
}
