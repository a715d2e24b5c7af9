package caddymodule

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var caddyfileBlock = regexp.MustCompile("(?s)```caddyfile\n(.*?)```\n")

// TestSitesOfTheDocs: each block of docs/sites.md is a site, at the origin of its host.
func TestSitesOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/sites.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := caddyfileBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 8 {
		t.Errorf("%d blocks", len(blocks))
	}
	for _, block := range blocks {
		host, _, _ := strings.Cut(block[1], " {")
		t.Run(host, func(t *testing.T) {
			g := newGateway(t)
			file := strings.Replace(string(g.caddyfile(gatewayOptions{})), "auto_https off", "auto_https disable_redirects\nlocal_certs\nskip_install_trust", 1)
			if err := bindSites(t, []byte(file+block[1]), func(a *App) {
				if len(a.guards.logins) != 1 || a.guards.logins[0].(*RequireLogin).bound.Load().all["https://"+host] == nil {
					t.Errorf("the sites are %v", a.guards.logins)
				}
			}); err != nil {
				t.Error(err)
			}
		})
	}
}
