package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

func asJSON(cmd *cobra.Command) bool {
	yes, err := cmd.Flags().GetBool("json")
	return err == nil && yes
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printGrants(w io.Writer, list grantList) error {
	if len(list.Grants) == 0 {
		_, err := fmt.Fprintf(w, "%s is not signed in anywhere\n", list.Subject)
		return err
	}
	rows := [][]string{{"FAMILY", "CLIENT", "SIGNED IN", "LAST USED", "ENDS UNUSED", "ENDS", "GENERATION"}}
	for _, g := range list.Grants {
		rows = append(rows, []string{
			g.Family, g.Client, stamp(cmp.Or(g.AuthTime, &g.Created)), stamp(&g.LastUsed), stamp(g.IdleExpires), stamp(g.Expires), fmt.Sprint(g.Generation),
		})
	}
	return printTable(w, rows)
}

// number writes a count with its noun.
func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func families(n int) string { return number(n, "refresh token family", "refresh token families") }

func users(n int) string { return number(n, "user", "users") }

func sessions(n int) string { return number(n, "session", "sessions") }

// printStreamedGrant prints a row of a table whose end is not known yet, or its
// head for nil: the columns have fixed widths, and the last one has none.
func printStreamedGrant(w io.Writer, g *grantInfo) error {
	row := []any{"FAMILY", "SIGNED IN", "LAST USED", "ENDS UNUSED", "ENDS", "SUBJECT"}
	if g != nil {
		row = []any{g.Family, stamp(cmp.Or(g.AuthTime, &g.Created)), stamp(&g.LastUsed), stamp(g.IdleExpires), stamp(g.Expires), g.Subject}
	}
	_, err := fmt.Fprintf(w, "%-22s  %-19s  %-19s  %-19s  %-19s  %s\n", row...)
	return err
}

func printKeys(w io.Writer, keys []tokens.KeyInfo) error {
	rows := make([][]string, 0, 1+len(keys))
	rows = append(rows, []string{"KEY", "ALGORITHM", "STATE", "CREATED", "SIGNS FROM"})
	for _, k := range keys {
		rows = append(rows, []string{k.ID, string(k.Algorithm), string(k.State), stamp(&k.Created), stamp(&k.UseFrom)})
	}
	return printTable(w, rows)
}

func printStats(w io.Writer, s stats) error {
	rows := [][]string{{"issuer", s.Issuer}, {"store", s.Store}, {"configurations", fmt.Sprint(s.Configurations)}}
	rows = append(rows, healthRows(s.Health)...)
	rows = append(rows, s.Feed.rows()...)
	for _, c := range []struct {
		name   string
		counts map[string]float64
	}{{"events", s.Events}, {"refreshes", s.Refreshes}, {"tokens issued", s.TokensIssued}, {"tokens refused", s.TokensRefused}, {"token checks", s.TokenChecks}} {
		for _, label := range slices.Sorted(maps.Keys(c.counts)) {
			rows = append(rows, []string{c.name + ": " + label, fmt.Sprint(c.counts[label])})
		}
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	return printKeys(w, s.Keys)
}

func healthRows(h healthInfo) [][]string {
	rows := [][]string{{"health", h.Status}, {"since", stamp(&h.Since)}}
	if h.Cause != "" {
		rows = append(rows, []string{"cause", h.Cause})
	}
	if h.Born != nil {
		rows = append(rows, []string{"store born", stamp(h.Born)})
	}
	return append(rows,
		[]string{"store failovers", fmt.Sprint(h.Failovers)},
		[]string{"clock ahead of the store's", fmt.Sprintf("%.3fs", h.ClockSkew)})
}

func printTable(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func stamp(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Local().Format(time.DateTime)
}
