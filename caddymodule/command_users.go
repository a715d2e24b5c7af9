package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func usersCommand() *cobra.Command {
	show := command("show {<subject> | <hash>}", "Shows what is known of a subject, such as 'local|alice', or of its hash in the log", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error {
			return call(cmd, http.MethodGet, "users/"+url.PathEscape(args[0]), nil, func(w io.Writer, u userInfo) error {
				return printTable(w, [][]string{
					{"subject", u.Subject},
					{"hash in the log", u.User},
					{"has logged in", yesNo(u.Known)},
					{"disabled", yesNo(u.Disabled)},
					{"grants", fmt.Sprint(u.Grants)},
					{"sessions", fmt.Sprint(u.Sessions)},
				})
			})
		})
	disable := command("disable {<subject> | <hash>}", "Ends all that a subject has and refuses it on every node, until it is enabled", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error {
			return call(cmd, http.MethodPost, "users/"+url.PathEscape(args[0])+"/disable", withForce(cmd, nil), func(w io.Writer, u changedUser) error {
				_, err := fmt.Fprintf(w, "%s is disabled; ended: %s, the sessions, and every access token\n", u.Subject, families(u.Ended))
				return err
			})
		})
	forceFlag(disable, "Refuse a subject that nobody knows yet")
	enable := command("enable {<subject> | <hash>}", "Lets a disabled subject log in again", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string) error {
			return call(cmd, http.MethodPost, "users/"+url.PathEscape(args[0])+"/enable", nil, func(w io.Writer, u changedUser) error {
				if !u.Changed {
					_, err := fmt.Fprintf(w, "%s was not disabled\n", u.Subject)
					return err
				}
				_, err := fmt.Fprintf(w, "%s may log in again\n", u.Subject)
				return err
			})
		})
	disabled := command("disabled", "Lists everybody who is disabled; it looks through the whole store", cobra.NoArgs, listDisabled)
	return group("users", "Shows, disables and enables users", show, disable, enable, disabled)
}

func listDisabled(cmd *cobra.Command, _ []string) error {
	type count struct {
		Users int `json:"users"`
	}
	out := cmd.OutOrStdout()
	end, err := stream(cmd, http.MethodGet, "users", url.Values{"disabled": {"true"}}, func(line streamedLine) error {
		_, err := fmt.Fprintln(out, line.User.Subject)
		return err
	}, func(count) string { return "" })
	if err == nil && end.Users == 0 && !asJSON(cmd) {
		_, err = fmt.Fprintln(out, "nobody is disabled")
	}
	return err
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func tokensCommand() *cobra.Command {
	deny := command("deny [--subject <subject> --jti <jti>]",
		"Denies one access token, which it reads from the standard input, or finds by subject and jti", cobra.NoArgs, denyToken)
	deny.Flags().String("subject", "", "The token's sub")
	deny.Flags().String("jti", "", "The token's jti")
	forceFlag(deny, "Take a subject that nobody knows")
	return group("tokens", "Denies access tokens", deny)
}

func denyToken(cmd *cobra.Command, _ []string) error {
	body := tokenToDeny{Subject: textFlag(cmd, "subject"), ID: textFlag(cmd, "jti")}
	if (body.Subject == "") != (body.ID == "") {
		return wrongUsef("--subject and --jti belong together")
	}
	if body.Subject == "" {
		text, err := readToken(cmd)
		if err != nil {
			return err
		}
		body.Token = text
	}
	return callWith(cmd, http.MethodPost, "tokens/deny", withForce(cmd, nil), body, func(w io.Writer, answer deniedToken) error {
		_, err := fmt.Fprintf(w, "denied: the access token %s of %s\n", answer.ID, answer.Subject)
		return err
	})
}

// readToken reads a token from the standard input, so that it is in no history
// of a shell and in no list of processes.
func readToken(cmd *cobra.Command) (string, error) {
	in := cmd.InOrStdin()
	if f, ok := in.(*os.File); ok {
		if term.IsTerminal(int(f.Fd())) {
			_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "Paste the access token, then press Enter and Ctrl-D:")
		}
	}
	b, err := io.ReadAll(io.LimitReader(in, 64<<10))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	text := strings.TrimPrefix(strings.TrimSpace(string(b)), "Bearer ")
	if text == "" {
		return "", wrongUsef("write the token to the standard input, or name --subject and --jti")
	}
	return text, nil
}
