package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/caddymodule"
)

func checkCommand() *cobra.Command {
	cmd := command("check", "Checks a --config for mistakes, and whether its issuer responds", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			flags := caddycmd.Flags{FlagSet: cmd.Flags()}
			if flags.String("config") == "" {
				return wrongUsef("name the configuration with --config")
			}
			config, _, _, err := caddycmd.LoadConfig(flags.String("config"), flags.String("adapter"))
			if err != nil {
				return err
			}
			examined, err := caddymodule.Examine(config)
			if err != nil {
				return err
			}
			findings := examined.Findings
			if !flags.Bool("offline") {
				findings = append(findings, askDiscovery(cmd.Context(), examined.Issuer)...)
			}
			return reportFindings(cmd, findings)
		})
	cmd.Flags().Bool("offline", false, "Do not connect to the issuer")
	return cmd
}

// printedFinding is a finding in the output of --json.
type printedFinding struct {
	Severity caddymodule.Severity `json:"severity"`
	Where    string               `json:"where"`
	Text     string               `json:"text"`
	Option   string               `json:"option,omitempty"`
}

// reportFindings prints what was found, and fails where something cannot work.
func reportFindings(cmd *cobra.Command, findings []caddymodule.Finding) error {
	if asJSON(cmd) {
		printed := make([]printedFinding, len(findings))
		for i, f := range findings {
			printed[i] = printedFinding{f.Severity, f.Where, f.Text, f.Option}
		}
		if err := printJSON(cmd, printed); err != nil {
			return err
		}
	} else {
		p := printerOf(cmd)
		for _, f := range findings {
			option := ""
			if f.Option != "" {
				option = " [" + f.Option + "]"
			}
			p.Printf("%s: %s: %s%s\n", f.Severity, f.Where, f.Text, option)
		}
		if len(findings) == 0 {
			p.Printf("nothing found\n")
		}
		if p.Err != nil {
			return p.Err
		}
	}
	if slices.ContainsFunc(findings, func(f caddymodule.Finding) bool { return f.Severity == caddymodule.SeverityError }) {
		return errors.New("the configuration has errors")
	}
	return nil
}

// discoveryTime is how long the issuer may take to answer.
const discoveryTime = 5 * time.Second

// askDiscovery asks a running gateway at the issuer's URL who it is, as applications do.
// See OpenID Connect Discovery §4.
func askDiscovery(ctx context.Context, issuer string) []caddymodule.Finding {
	at := strings.TrimRight(issuer, "/") + "/.well-known/openid-configuration"
	found := func(severity caddymodule.Severity, format string, args ...any) []caddymodule.Finding {
		return []caddymodule.Finding{{Severity: severity, Where: at, Text: fmt.Sprintf(format, args...), Option: "issuer"}}
	}
	ctx, cancel := context.WithTimeout(ctx, discoveryTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return found(caddymodule.SeverityError, "cannot be asked: %v", err)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return found(caddymodule.SeverityInfo, "nobody answers from here: %v. Run this again where the gateway runs, or when it does", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var document struct {
		Issuer string `json:"issuer"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&document)
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return found(caddymodule.SeverityError, "redirects to %q: applications ask the issuer's own URL and follow nothing; serve it there, or change the issuer", resp.Header.Get("Location"))
	case resp.StatusCode != http.StatusOK:
		return found(caddymodule.SeverityError, "answers %d: applications cannot find the gateway; serve `oauth_server` there, or change the issuer", resp.StatusCode)
	case err != nil:
		return found(caddymodule.SeverityError, "answers something else than a discovery document: serve `oauth_server` there, or change the issuer")
	case document.Issuer != issuer:
		return found(caddymodule.SeverityError, "names the issuer %q, and the configuration %q: applications compare them byte for byte; reload the gateway, or change one of them", document.Issuer, issuer)
	}
	return nil
}
