package caddymodule

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func explainCommand() *cobra.Command {
	return command("explain <family or request id>",
		"Says what became of a refresh token family, and why, by an id of the log", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error {
			return call(cmd, http.MethodGet, "explain/"+url.PathEscape(args[0]), nil, printExplanation)
		})
}

func printExplanation(w io.Writer, e explanation) error {
	rows := [][]string{{"family", e.Family}, {"subject", cmp.Or(e.Subject, "forgotten")}, {"client", cmp.Or(e.Client, "unknown")}}
	if e.Grant != nil {
		rows = append(rows, []string{"last used", stamp(&e.Grant.LastUsed)}, []string{"ends unused", stamp(e.Grant.IdleExpires)}, []string{"ends", stamp(e.Grant.Expires)})
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\n%s: %s\n\n", e.Verdict, e.Meaning); err != nil {
		return err
	}
	if len(e.Events) == 0 {
		_, err := fmt.Fprintln(w, "no event is known any more: a history is kept for 30 days after the last use")
		return err
	}
	rows = [][]string{{"TIME", "EVENT", "BY", "FROM", "DEVICE", "REQUEST"}}
	for _, h := range e.Events {
		rows = append(rows, []string{stamp(&h.Time), string(h.Event), cmp.Or(h.By, h.Late, "-"), cmp.Or(h.Address, "-"), cmp.Or(h.Device, "-"), h.RequestID})
	}
	return printTable(w, rows)
}
