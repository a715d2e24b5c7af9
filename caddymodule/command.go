package caddymodule

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "oauth",
		Usage: "<secret|grants|clients|keys|stats>",
		Short: "Makes secrets, and lists and ends what the OAuth server has granted",
		Long: `
Works with the OAuth server of a running Caddy, through its admin API at
'` + caddy.DefaultAdminListen + `' or the --address given; or, with --config, at the
address that the config names. Only 'secret' needs no server.

Each command prints a table, or with --json what the admin API answered. It
exits with 0 when it has done what it was asked for and with 1 otherwise; the
reason is then on the standard error.`,
		CobraFunc: oauthCommand,
	})
}

// oauthCommand adds flags and subcommands.
func oauthCommand(cmd *cobra.Command) {
	cmd.PersistentFlags().Bool("json", false, "Print JSON")
	cmd.PersistentFlags().String("address", "", "Address of the admin API (if --config is not used)")
	cmd.PersistentFlags().StringP("config", "c", "", "Configuration file (if --address is not used)")
	cmd.PersistentFlags().StringP("adapter", "a", "", "Name of config adapter to apply (if --config is used)")
	cmd.AddCommand(secretCommand(), grantsCommand(), clientsCommand(), keysCommand(), statsCommand())
}

// command makes a subcommand that runs f.
func command(use, short string, args cobra.PositionalArgs, f func(*cobra.Command, []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: f}
}

// group makes a subcommand that has subcommands of its own.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short}
	g.AddCommand(commands...)
	return g
}

// generatedSecrets is what `caddy oauth secret` prints.
type generatedSecrets struct {
	ClientSecret  string `json:"client_secret"`
	SecretHash    string `json:"secret_hash"`
	GatewaySecret string `json:"gateway_secret"`
}

func secretCommand() *cobra.Command {
	return command("secret", "Makes a client secret with its hash, and a gateway secret", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			b := make([]byte, 32)
			_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
			s := generatedSecrets{ClientSecret: base64.RawURLEncoding.EncodeToString(b), GatewaySecret: newGatewaySecret()}
			s.SecretHash = tokens.HashSecret(s.ClientSecret)
			if asJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), s)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), `For a web or machine client:
  give to the client       %s
  secret_hash              %s

For the gateway itself, the value behind `+"`secret {env.GATEHOUSE_SECRET}`"+`:
  GATEHOUSE_SECRET         %s
`, s.ClientSecret, s.SecretHash, s.GatewaySecret)
			return err
		})
}

func grantsCommand() *cobra.Command {
	list := command("list <subject>", "Lists where a person is signed in", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error {
			return adminCall(cmd, http.MethodGet, "grants", url.Values{"subject": args}, printGrants)
		})
	end := command("end <subject> [<family>]", "Signs a person out of everything, or of one application", cobra.RangeArgs(1, 2),
		func(cmd *cobra.Command, args []string) error {
			query := url.Values{"subject": args[:1]}
			if len(args) > 1 {
				query.Set("family", args[1])
			}
			return adminCall(cmd, http.MethodDelete, "grants", query, func(w io.Writer, answer ended) error {
				_, err := fmt.Fprintf(w, "ended: %d refresh token families, and every access token of theirs\n", answer.Ended)
				return err
			})
		})
	return group("grants", "Lists and ends the grants of a subject, such as 'local|alice'", list, end)
}

func clientsCommand() *cobra.Command {
	end := command("end <client_id>", "Ends every refresh token and access token that a client holds until now", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error {
			return adminCall(cmd, http.MethodPost, "clients/"+url.PathEscape(args[0])+"/end", nil, func(w io.Writer, _ struct{}) error {
				_, err := fmt.Fprintf(w, "ended: everything that %s held\n", args[0])
				return err
			})
		})
	return group("clients", "Ends what a client holds", end)
}

func keysCommand() *cobra.Command {
	rotate := command("rotate", "Makes new signing keys; they are published first and sign later", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if immediate, err := cmd.Flags().GetBool("immediate"); err == nil && immediate {
				query.Set("immediate", "true")
			}
			return adminCall(cmd, http.MethodPost, "keys/rotate", query, func(w io.Writer, answer keyList) error {
				return printKeys(w, answer.Keys)
			})
		})
	rotate.Flags().Bool("immediate", false, "Sign with them at once: services that cache the old key set will refuse tokens until they fetch it again")
	return group("keys", "Rotates the signing keys", rotate)
}

func statsCommand() *cobra.Command {
	return command("stats", "Prints counts, keys and the state of the store", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			return adminCall(cmd, http.MethodGet, "stats", nil, printStats)
		})
}

// adminCall asks the admin API and prints the answer.
func adminCall[T any](cmd *cobra.Command, method, path string, query url.Values, table func(io.Writer, T) error) error {
	flags := caddycmd.Flags{FlagSet: cmd.Flags()}
	address, err := caddycmd.DetermineAdminAPIAddress(flags.String("address"), nil, flags.String("config"), flags.String("adapter"))
	if err != nil {
		return fmt.Errorf("finding the admin API: %w", err)
	}
	uri := adminBase + path
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	resp, err := caddycmd.AdminAPIRequest(address, method, uri, nil, nil)
	if err != nil {
		return fmt.Errorf("asking the admin API at %s: %w", address, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer T
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("reading the answer of the admin API: %w", err)
	}
	if asJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), answer)
	}
	return table(cmd.OutOrStdout(), answer)
}
