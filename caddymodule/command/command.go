// Package command is `caddy oauth`. Its subcommands are made of the Actions of the
// admin API, but for those that work with files: init, secret, backup, export and import.
package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "oauth",
		Usage: "<command>",
		Short: "Manages the OAuth server: grants, users, clients, tokens, keys, and its store",
		Long: `
Manages the OAuth server of a running Caddy through its admin API, at
'` + caddy.DefaultAdminListen + `', at the given --address, or at the address in the
given --config. 'init', 'secret', 'version', and 'check' need no server, and
'export' and 'import' can open the store of a --config themselves.

Each command prints a table, or with --json the response of the admin API.
Warnings and progress go to the standard error.

Exit codes: 0 success; 1 failure; 2 incorrect use, and nothing was done.`,
		CobraFunc: oauthCommand,
	})
}

// oauthCommand adds flags and subcommands.
func oauthCommand(cmd *cobra.Command) {
	cmd.PersistentFlags().Bool("json", false, "Print JSON")
	cmd.PersistentFlags().String("address", "", "Address of the admin API (if --config is not used)")
	cmd.PersistentFlags().StringP("config", "c", "", "Configuration file (if --address is not used)")
	cmd.PersistentFlags().StringP("adapter", "a", "", "Name of config adapter to apply (if --config is used)")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if _, unknown := errors.AsType[*pflag.NotExistError](err); unknown {
			err = fmt.Errorf("%w; %s", err, dashHint)
		}
		return usageError(cmd, err)
	})
	commands := []*cobra.Command{secretCommand(), versionCommand(), initCommand(), checkCommand(), backupCommand(), exportCommand(), importCommand()}
	members := make(map[string][]*cobra.Command)
	for _, a := range adminapi.Actions {
		name, use, _ := strings.Cut(a.Use, " ")
		switch {
		case a.Use == "":
		case groups[name] != "":
			members[name] = append(members[name], actionCommand(a, use))
		default:
			commands = append(commands, actionCommand(a, a.Use))
		}
	}
	for name, short := range groups {
		g := &cobra.Command{Use: name, Short: short}
		asGroup(g, members[name]...)
		commands = append(commands, g)
	}
	asGroup(cmd, commands...)
}

// groups are the commands that have subcommands, and their help.
var groups = map[string]string{
	"clients":    "Lists, ends, and blocks clients",
	"consents":   "Shows and withdraws what a person has agreed to",
	"everyone":   "Ends what everybody has",
	"grants":     "Lists and ends users' logins at clients",
	"issuers":    "Lists other issuers and removes their keys",
	"logins":     "Checks logins at providers and rebinds them",
	"logouts":    "Lists sign-outs that applications have not been told of yet",
	"keys":       "Lists, rotates, and drops signing keys",
	"registered": "Ends what clients that registered themselves have",
	"tokens":     "Denies access tokens",
	"users":      "Lists, ends, disables, enables, and moves users",
}
