package caddymodule

import (
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func keysCommand() *cobra.Command {
	table := func(w io.Writer, answer keyList) error { return printKeys(w, answer.Keys) }
	list := command("list", "Lists the signing keys", cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		return call(cmd, http.MethodGet, "keys", nil, table)
	})
	rotate := command("rotate", "Makes new signing keys; they are published first and sign later", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if immediate, err := cmd.Flags().GetBool("immediate"); err == nil && immediate {
				query.Set("immediate", "true")
			}
			return call(cmd, http.MethodPost, "keys/rotate", query, table)
		})
	rotate.Flags().Bool("immediate", false, "Sign with them at once: services that cache the old key set will refuse tokens until they fetch it again")
	drop := command("drop <kid>", "Forgets a signing key that others know: what it has signed is refused at once, on all nodes", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error {
			return call(cmd, http.MethodDelete, "keys/"+url.PathEscape(args[0]), nil, table)
		})
	return group("keys", "Lists, rotates and drops the signing keys", list, rotate, drop)
}

func statsCommand() *cobra.Command {
	return command("stats", "Prints counts, keys and the state of the store", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			return call(cmd, http.MethodGet, "stats", nil, printStats)
		})
}
