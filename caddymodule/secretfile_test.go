package caddymodule

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestGeneratedSecretIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "gatehouse.db.secret")
	const callers = 8
	secrets := make([]string, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			secret, _, err := generatedSecret(path)
			if err != nil {
				t.Error(err)
			}
			secrets[i] = secret
		})
	}
	wg.Wait()
	for _, secret := range secrets[1:] {
		if secret != secrets[0] {
			t.Fatal("two callers got two secrets")
		}
	}
	if raw, err := base64.StdEncoding.DecodeString(secrets[0]); err != nil || len(raw) != 64 {
		t.Errorf("the secret is %d bytes of base64 (%v), want 64", len(raw), err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files in the folder (%v), want the secret alone", len(entries), err)
	}
}

// ADM-09, R-38: a key file that others can read, or that is garbage, is refused and not replaced.
func TestGeneratedSecretRefusesBadFiles(t *testing.T) {
	tests := []struct {
		name, content string
		mode          os.FileMode
		want          string
	}{
		{name: "readable by others", content: NewGatewaySecret(), mode: 0o640, want: "chmod 600"},
		{name: "empty", mode: 0o600, want: "reading generated secret"},
		{name: "cut short", content: NewGatewaySecret()[:40], mode: 0o600, want: "is damaged"},
		{name: "not base64", content: strings.Repeat("canary!", 20), mode: 0o600, want: "is damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(tt.content), tt.mode); err != nil {
				t.Fatal(err)
			}
			secret, _, err := generatedSecret(path)
			if err == nil {
				t.Fatalf("got a secret of %d bytes, want an error", len(secret))
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %q, want %q and the path in it", err, tt.want)
			}
			if tt.content != "" && strings.Contains(err.Error(), tt.content[:8]) {
				t.Error("the error holds the secret")
			}
		})
	}
}
