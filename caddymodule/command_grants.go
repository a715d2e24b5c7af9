package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func grantsCommand() *cobra.Command {
	return group("grants", "Lists and ends logins of users at clients", listGrantsCommand(), showGrantCommand(), endGrantsCommand())
}

func listGrantsCommand() *cobra.Command {
	list := command("list {<subject> | --client <client_id>}", "Lists where a person is signed in, or who is signed in at a client",
		cobra.MaximumNArgs(1), func(cmd *cobra.Command, args []string) error {
			client := textFlag(cmd, "client")
			switch {
			case (len(args) == 1) == (client != ""):
				return wrongUsef("name a subject, such as 'local|alice', or a --client")
			case client != "":
				return listOfClient(cmd, client)
			}
			return call(cmd, http.MethodGet, "grants", url.Values{"subject": args}, func(w io.Writer, list grantList) error {
				return printGrants(w, list)
			})
		})
	list.Flags().String("client", "", "List all who are signed in at this client; it looks through the whole store")
	return list
}

func listOfClient(cmd *cobra.Command, client string) error {
	out := cmd.OutOrStdout()
	first := true
	end, err := stream(cmd, http.MethodGet, "grants", url.Values{"client": {client}}, func(line streamedLine) error {
		if first {
			first = false
			if err := printStreamedGrant(out, nil); err != nil {
				return err
			}
		}
		return printStreamedGrant(out, line.Grant)
	}, func(at scanned) string {
		return fmt.Sprintf("%s looked at, %s found", users(at.Users), number(at.Grants, "grant", "grants"))
	})
	if err != nil || asJSON(cmd) {
		return err
	}
	if end.Grants == 0 {
		_, err = fmt.Fprintf(out, "nobody is signed in at %s\n", client)
		return err
	}
	_, err = fmt.Fprintf(out, "%s; %s looked at\n", number(end.Grants, "grant", "grants"), users(end.Users))
	return err
}

func showGrantCommand() *cobra.Command {
	show := command("show <family>", "Shows one login by its family id, as the log and access tokens (gh_fam) tell it",
		cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
			query := url.Values{"family": args}
			if subject := textFlag(cmd, "subject"); subject != "" {
				query.Set("subject", subject)
			}
			return call(cmd, http.MethodGet, "grants", query, func(w io.Writer, list grantList) error {
				if _, err := fmt.Fprintf(w, "%s\n", list.Subject); err != nil {
					return err
				}
				return printGrants(w, list)
			})
		})
	show.Flags().String("subject", "", "Whose it is; without it the whole store is looked through")
	return show
}

func endGrantsCommand() *cobra.Command {
	end := command("end {<subject> [<family>] | --family <id> | [<subject> | --client <id> | --everyone] --before <time>}",
		"Ends all that a person has, sessions too, or one login; or all logins until a time",
		cobra.MaximumNArgs(2), endGrants)
	end.Flags().String("family", "", "End this family, whoever has it")
	end.Flags().String("before", "", "End what comes from logins at or before this time, such as 2026-11-01T00:00:00Z")
	end.Flags().String("client", "", "With --before: at this client")
	forceFlag(end, "Take a subject, client or family that nobody knows")
	end.Flags().Bool("everyone", false, "With --before: of all users, their sessions too")
	return end
}

func endGrants(cmd *cobra.Command, args []string) error {
	before, client, family := textFlag(cmd, "before"), textFlag(cmd, "client"), textFlag(cmd, "family")
	everyone, _ := cmd.Flags().GetBool("everyone")
	query := withForce(cmd, url.Values{})
	if len(args) > 0 {
		query.Set("subject", args[0])
	}
	if len(args) > 1 {
		query.Set("family", args[1])
	}
	switch {
	case len(args) > 1 && family != "":
		return wrongUsef("name the family once")
	case family != "":
		query.Set("family", family)
	}
	if before == "" {
		switch {
		case client != "":
			return wrongUsef("--client needs --before; to end all that a client holds: caddy oauth clients end %s", client)
		case everyone:
			return wrongUsef("--everyone needs --before; to end all that anybody has until now: caddy oauth everyone end --yes")
		case !query.Has("subject") && !query.Has("family"):
			return wrongUsef("name a subject, such as 'local|alice', or a --family")
		}
		return call(cmd, http.MethodDelete, "grants", query, func(w io.Writer, answer ended) error {
			_, err := fmt.Fprintln(w, whatEnded(query, answer))
			return err
		})
	}
	query.Set("before", before)
	if client != "" {
		query.Set("client", client)
	}
	if everyone {
		query.Set("everyone", "true")
	}
	end, err := stream(cmd, http.MethodDelete, "grants", query, func(streamedLine) error { return nil }, func(at ended) string {
		return fmt.Sprintf("%s looked at, %s and %s ended", users(at.Users), sessions(at.Sessions), families(at.Ended))
	})
	if err != nil || asJSON(cmd) {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "ended: %s and %s; %s looked at\n", sessions(end.Sessions), families(end.Ended), users(end.Users))
	return err
}

// whatEnded says what became of a request to end a subject's grants, or a family.
func whatEnded(query url.Values, answer ended) string {
	family := query.Get("family")
	switch {
	case family == "":
		return fmt.Sprintf("ended: %s, the sessions, and every access token", families(answer.Ended))
	case answer.Ended > 0:
		return fmt.Sprintf("ended: %s and its access tokens", families(answer.Ended))
	case !query.Has("subject"): // nobody could be found to have it, so nothing was denied
		return family + " had ended already"
	}
	return family + " had ended already; its access tokens are refused"
}

// forceFlag lets a command be about what nobody knows.
func forceFlag(cmd *cobra.Command, usage string) {
	cmd.Flags().Bool("force", false, usage+": else that is an error")
}

// withForce adds the flag to a query, which may be nil.
func withForce(cmd *cobra.Command, query url.Values) url.Values {
	if force, err := cmd.Flags().GetBool("force"); err != nil || !force {
		return query
	}
	if query == nil {
		query = url.Values{}
	}
	query.Set("force", "true")
	return query
}

func textFlag(cmd *cobra.Command, name string) string {
	value, _ := cmd.Flags().GetString(name)
	return value
}

func clientsCommand() *cobra.Command {
	end := command("end <client_id>", "Ends every refresh token and access token that a client holds until now", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error {
			return patiently(cmd, endUntilHeard, func() error {
				return call(cmd, http.MethodPost, "clients/"+url.PathEscape(args[0])+"/end", withForce(cmd, nil), func(w io.Writer, answer endedClient) error {
					if !answer.Configured {
						warn(cmd, "no client %q is configured here; what it held has ended all the same", args[0])
					}
					_, err := fmt.Fprintf(w, "ended: everything that %s held\n", args[0])
					return err
				})
			})
		})
	forceFlag(end, "End a client that nobody knows")
	return group("clients", "Ends what a client holds", end)
}
