package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

const (
	machineSecret = "a secret of the machine"
	// aliceHash is bcrypt of "wonderland".
	aliceHash = "$2a$10$tYbwSz6TIYpVk0ARn7bcluh7jNcWF91FgIBIJGhLPzLgxSJUNSS/C"
)

// gateway is a Caddy with Gatehouse that runs until the test ends.
type gateway struct {
	issuer, api string
	browser     *http.Client
}

// theCaddy is the Caddy that GATEHOUSE_CADDY names, or one that is built.
func theCaddy(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped by -short: needs a build of Caddy")
	}
	caddy := os.Getenv("GATEHOUSE_CADDY")
	if caddy == "" {
		caddy = filepath.Join(t.TempDir(), "caddy")
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", caddy, "./caddy").CombinedOutput(); err != nil {
			t.Fatalf("building Caddy: %v\n%s", err, out)
		}
	}
	return caddy
}

// startGateway runs a gateway that stands alone.
func startGateway(t *testing.T) *gateway {
	t.Helper()
	caddy := theCaddy(t)
	g := &gateway{issuer: place(t), api: place(t), browser: http.DefaultClient}
	folder := t.TempDir()
	runCaddy(t, caddy, folder, g.config(folder))
	ready(t, g.browser, g.issuer+".well-known/jwks.json")
	return g
}

// runCaddy runs a Caddy with a Caddyfile in a folder of its own.
func runCaddy(t *testing.T, caddy, folder, config string) {
	t.Helper()
	file := filepath.Join(folder, "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	runUntilTheEnd(t, folder, caddy, "run", "--adapter", "caddyfile", "--config", file)
}

// runUntilTheEnd runs a program in a folder of its own, and shows what it has said if the test fails.
func runUntilTheEnd(t *testing.T, folder, program string, args ...string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() || bytes.Contains(log.Bytes(), []byte(`"level":"error"`)) {
			t.Errorf("the log of %s:\n%s", program, log.String())
		}
	})
}

// ready waits until a URL is answered.
func ready(t *testing.T, c *http.Client, to string) {
	t.Helper()
	for range 400 {
		if resp, err := c.Get(to); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond) // another process: there is no clock to turn
	}
	t.Fatalf("%s did not get ready", to)
}

func (g *gateway) config(folder string) string {
	return fmt.Sprintf(`{
	admin off
	persist_config off
	default_bind 127.0.0.1
	storage file_system %[1]s/caddy
	oauth {
		issuer %[2]s
		store bolt %[1]s/gatehouse.db
		login local {
			user alice %[4]s {
				email alice@example.com
			}
		}
		api %[3]s {
			scopes orders:read
			allow_offline_access
		}
		client cli {
			type native
			redirect_uris http://127.0.0.1/callback com.example.cli:/callback https://cli.example.com/callback
			device_code
			apis %[3]s
		}
		client machine {
			type machine
			apis %[3]s
			secret_hash %[5]s
		}
	}
}
%[6]s {
	oauth_server
}
%[7]s {
	bearer_auth {
		audience %[3]s
		scope orders:read
	}
	respond `+"`"+`{"user": "{http.auth.user.id}"}`+"`"+`
}
`, folder, g.issuer, g.api, aliceHash, clients.HashSecret(machineSecret),
		strings.TrimSuffix(g.issuer, "/"), strings.TrimSuffix(g.api, "/"))
}

// place is the URL of a port on which nobody listens.
func place(t *testing.T) string { return fmt.Sprintf("http://localhost:%d/", redistest.FreePort(t)) }
