package caddymodule

import (
	"bufio"
	"bytes"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// gatewayOptions change the Caddyfile of a gateway.
type gatewayOptions struct {
	Global  string // more global options
	OAuth   string // more options of oauth
	Deny    string // more options of denylist
	Client  string // more options of the client my-spa
	Server  string // the issuer's site instead of `oauth_server`
	API     string // the API's site instead of a guard in front of the upstream
	Secret  string // instead of the generated one; "none" for none
	Store   string // another path
	StoreIn string // another store than bolt: the rest of the line of `store`
	Servers string // options of `servers`
}

var gatewayFile = template.Must(template.New("Caddyfile").Parse(`{
	admin {{.G.AdminAddr}}
	persist_config off
	auto_https off
	grace_period 5s
	storage file_system {{.Dir}}/caddy
	metrics
	log {
		output file {{.Dir}}/caddy.log {
			roll_disabled
		}
		format json
		level DEBUG
	}
	servers {
		{{.O.Servers}}
	}
	{{.O.Global}}
	oauth {
		issuer {{.G.Issuer}}
		{{if .Secret}}secret {{.Secret}}{{end}}
		store {{if .O.StoreIn}}{{.O.StoreIn}}{{else}}bolt {{.Store}}{{end}}
		login local {
			user alice {{.G.Hash}} {
				email alice@example.com
				name Alice
			}
		}
		api https://api.example.com {
			scopes orders:read orders:write
			allow_offline_access
		}
		client my-spa {
			type spa
			redirect_uris http://localhost:3999/callback
			apis https://api.example.com
			{{.O.Client}}
		}
		client worker {
			type machine
			apis https://api.example.com
			secret_hash {{.MachineHash}}
		}
		denylist {
			cache_entries 1000 # to clear a million, as usual, takes the race detector half a second
			{{.O.Deny}}
		}
		{{.O.OAuth}}
	}
}

{{.IssuerSite}} {
	{{if .O.Server}}{{.O.Server}}{{else}}log
	oauth_server{{end}}
}

{{.G.API}} {
	log
	{{if .O.API}}{{.O.API}}{{else}}bearer_auth {
		audience https://api.example.com
		header X-Auth-Subject sub
		header X-Auth-Email email
	}
	reverse_proxy {{.Upstream}}{{end}}
}
`))

// startGateway runs a gateway until the test ends.
func startGateway(t *testing.T, o gatewayOptions) *gateway {
	t.Helper()
	g := newGateway(t)
	if err := g.load(o); err != nil {
		t.Fatal(err)
	}
	return g
}

// load runs a configuration, in place of the one that runs.
func (g *gateway) load(o gatewayOptions) error {
	g.t.Helper()
	g.t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			g.t.Error(err)
		}
	})
	return g.loadCaddyfile(g.caddyfile(o))
}

// loadCaddyfile is load for a Caddyfile that a test has changed.
func (g *gateway) loadCaddyfile(file []byte) error {
	g.t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(file, nil)
	if err != nil {
		return fmt.Errorf("adapting: %w", err)
	}
	err = caddy.Load(config, true)
	g.client.CloseIdleConnections() // the old servers have closed them, or will
	g.handedOver()
	return err
}

// handedOver waits until the listeners of the configuration before are closed,
// where the system tells: the kernel deals out connections to them too
// (SO_REUSEPORT), and resets those that nobody has taken when they close.
func (g *gateway) handedOver() {
	g.t.Helper()
	for _, address := range []string{g.Issuer, g.API} {
		u, err := url.Parse(address)
		if err != nil {
			g.t.Fatal(err)
		}
		for begun := time.Now(); listeners(g.t, u.Port()) > 1; time.Sleep(time.Millisecond) {
			if time.Since(begun) > 10*time.Second {
				g.t.Fatalf("two listeners stay at %s", address)
			}
		}
	}
}

// listeners returns how many sockets listen on a TCP port, 0 where that is not to be known.
func listeners(t *testing.T, port string) int {
	t.Helper()
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	const listening = "0A"
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.Open(name)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(table)
		lines.Scan() // the names of the columns
		for lines.Scan() {
			f := strings.Fields(lines.Text())
			if len(f) < 4 || f[3] != listening {
				break // they come first, and there may be thousands of others
			}
			if strings.HasSuffix(f[1], fmt.Sprintf(":%04X", number)) {
				count++
			}
		}
		_ = table.Close()
	}
	return count
}

// config adapts the gateway's Caddyfile.
func (g *gateway) config(o gatewayOptions) []byte {
	g.t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(g.caddyfile(o), nil)
	if err != nil {
		g.t.Fatalf("adapting: %v\n%s", err, g.caddyfile(o))
	}
	return config
}

func (g *gateway) caddyfile(o gatewayOptions) []byte {
	g.t.Helper()
	secret := g.Secret
	switch o.Secret {
	case "":
	case "none":
		secret = ""
	default:
		secret = o.Secret
	}
	store := g.Store
	if o.Store != "" {
		store = o.Store
	}
	upstreamHost := strings.TrimPrefix(g.upstream.server.URL, "http://")
	o.API = strings.ReplaceAll(o.API, "UPSTREAM", upstreamHost)
	var b bytes.Buffer
	err := gatewayFile.Execute(&b, map[string]any{
		"G": g, "O": o, "Dir": g.dir, "Secret": secret, "Store": store, "Upstream": upstreamHost,
		"IssuerSite": strings.TrimSuffix(g.Issuer, "/"), "MachineHash": clients.HashSecret(g.Machine),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return b.Bytes()
}
