package nodes

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestUnprivileged: a gateway runs as a user who may write one directory and has
// no home, and keeps all that it writes there (ADM-10).
func TestUnprivileged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can become another user")
	}
	const nobody = 65534
	shared, dir := t.TempDir(), t.TempDir()
	program, err := os.ReadFile(caddy)
	if err != nil {
		t.Fatal(err)
	}
	bin, config, store := filepath.Join(shared, "caddy"), filepath.Join(shared, "Caddyfile"), filepath.Join(dir, "gatehouse.db")
	port := redistest.FreePort(t)
	text := fmt.Sprintf("{\n\tadmin off\n\tpersist_config off\n\tauto_https off\n\tstorage file_system %s/caddy\n\toauth {\n"+
		"\t\tissuer http://localhost:%d/\n\t\tstore bolt %s\n\t}\n}\nhttp://localhost:%d {\n\toauth_server\n}\n", dir, port, store, port)
	for path, content := range map[string][]byte{bin: program, config: []byte(text)} {
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Dir(shared), shared} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(bin, "run", "--adapter", "caddyfile", "--config", config)
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=/nonexistent", "XDG_DATA_HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent", "TMPDIR=/nonexistent"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	within(t, "the gateway to serve", 20*time.Second, func() bool {
		resp, err := http.Get(fmt.Sprintf("http://localhost:%d/.well-known/jwks.json", port))
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	for _, path := range []string{store, store + ".secret"} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}
