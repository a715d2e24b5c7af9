package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestEveryoneEnds ends everything with one command, as after the restore of an
// old backup: R-49.
func TestEveryoneEnds(t *testing.T) {
	for name, options := range map[string]func(t *testing.T) gatewayOptions{
		"bolt":  func(*testing.T) gatewayOptions { return gatewayOptions{} },
		"redis": func(t *testing.T) gatewayOptions { return gatewayOptions{StoreIn: redisAt(redistest.Start(t).Addr)} },
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, options(t))
			before, machine := g.login(), g.machineToken()
			out, err := g.run("everyone", "end")
			if err == nil || !strings.Contains(err.Error(), "status 2") || !strings.Contains(out, "signs everybody out") || !strings.Contains(out, "--yes") {
				t.Errorf("without --yes: %v\n%s", err, out)
			}
			if resp, _ := g.call("/orders", machine); resp.StatusCode != http.StatusOK {
				t.Errorf("without --yes something has ended: %d", resp.StatusCode)
			}

			if out, _ := g.ok("everyone", "end", "--yes"); !strings.HasPrefix(out, "ended: everything that anybody had until 20") {
				t.Errorf("ending everyone:\n%s", out)
			}
			for what, token := range map[string]string{"a person": before.AccessToken, "a machine": machine} {
				if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("access token of %s: %d, want 401", what, resp.StatusCode)
				}
			}
			if answer := g.refresh(before.RefreshToken); answer.Error != "invalid_grant" {
				t.Errorf("refresh: %d %s", answer.status, answer.body)
			}
			if out, _ := g.ok("users", "show", "local|alice"); !strings.Contains(out, "sessions         0") || !strings.Contains(out, "grants           0") {
				t.Errorf("what is left:\n%s", out)
			}
			for _, want := range []string{`"outcome":"end_everyone"`, `"outcome":"everyone"`} {
				if !strings.Contains(g.logs(), want) {
					t.Errorf("the log has no %s", want)
				}
			}

			// In the very second of the end, and from then on.
			after := g.login()
			for what, token := range map[string]string{"a person": after.AccessToken, "a machine": g.machineToken()} {
				if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusOK {
					t.Errorf("new access token of %s: %d, want 200", what, resp.StatusCode)
				}
			}
			if answer := g.refresh(after.RefreshToken); answer.AccessToken == "" {
				t.Errorf("refresh of a new login: %d %s", answer.status, answer.body)
			}
		})
	}
}
