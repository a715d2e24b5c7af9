package caddymodule

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func issuersCommand() *cobra.Command {
	list := command("list", "Lists the other issuers whose tokens are taken", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			return call(cmd, http.MethodGet, "issuers", nil, printIssuers)
		})
	purge := command("purge <issuer>", "Forgets the keys of an issuer that has lost one, on this node, and fetches them anew", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error {
			return call(cmd, http.MethodPost, "issuers/purge", url.Values{"issuer": {args[0]}}, func(w io.Writer, _ issuerList) error {
				_, err := fmt.Fprintf(w, "forgotten: the keys of %s; its tokens pass again when the new ones are here\n", args[0])
				return err
			})
		})
	return group("issuers", "Shows other issuers and forgets their keys", list, purge)
}

func printIssuers(w io.Writer, l issuerList) error {
	if len(l.Issuers) == 0 {
		_, err := fmt.Fprintln(w, "no bearer_auth takes tokens of other issuers")
		return err
	}
	rows := [][]string{{"ISSUER", "KEYS", "LAST SEEN"}}
	for _, i := range l.Issuers {
		rows = append(rows, []string{i.Issuer, i.Keys, cmp.Or(i.LastSeen, "never")})
	}
	return printTable(w, rows)
}
