package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// actionCommand makes the subcommand of an action.
func actionCommand(a *adminapi.Action, use string) *cobra.Command {
	args := cobra.ExactArgs(len(a.Args))
	switch {
	case len(a.Args) == 0:
		args = cobra.NoArgs
	case a.Optional:
		args = cobra.MaximumNArgs(len(a.Args))
	}
	cmd := command(use, a.Short, args, func(cmd *cobra.Command, args []string) error {
		asked, err := parameters(cmd, a, args)
		if err != nil {
			return err
		}
		return perform(cmd, a, asked)
	})
	if a.Confirm != "" {
		cmd.Flags().Bool("yes", false, "Confirm; without this flag, nothing is done")
	}
	for _, f := range a.Flags {
		if f.Switch {
			cmd.Flags().Bool(f.Name, false, f.Help)
		} else {
			cmd.Flags().String(f.Name, "", f.Help)
		}
	}
	return cmd
}

// parameters are what the arguments and the flags say.
func parameters(cmd *cobra.Command, a *adminapi.Action, args []string) (url.Values, error) {
	if yes, _ := cmd.Flags().GetBool("yes"); a.Confirm != "" && !yes {
		return nil, wrongUsef("%s. Nothing was done; add --yes to do it", a.Confirm)
	}
	asked := make(url.Values)
	for i, arg := range args {
		asked.Set(a.Args[i], arg)
	}
	for _, f := range a.Flags {
		value := cmd.Flags().Lookup(f.Name).Value.String()
		switch {
		case value == "" || f.Switch && value == "false":
			continue
		case asked.Has(f.Name):
			return nil, wrongUsef("give the %s only once", f.Name)
		}
		asked.Set(f.Name, value)
	}
	if a.Check != nil {
		if err := a.Check(asked); err != nil {
			return nil, wrongUsef("%w", err)
		}
	}
	if given := func(f adminapi.Flag) bool { return !f.Switch && asked.Has(f.Name) }; a.Stdin != "" && !slices.ContainsFunc(a.Flags, given) {
		text, err := readToken(cmd)
		if err != nil {
			return nil, err
		}
		asked.Set(a.Stdin, text)
	}
	return asked, nil
}

// readToken reads a token from the standard input, so that it is in no history
// of a shell and in no list of processes.
func readToken(cmd *cobra.Command) (string, error) {
	in := cmd.InOrStdin()
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "Paste the access token, then press Enter and Ctrl-D:")
	}
	b, err := io.ReadAll(io.LimitReader(in, 64<<10))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	text := strings.TrimPrefix(strings.TrimSpace(string(b)), "Bearer ")
	if text == "" {
		return "", wrongUsef("pass the token on the standard input, or give --subject and --jti")
	}
	return text, nil
}

// perform asks for an action and prints the answer.
func perform(cmd *cobra.Command, a *adminapi.Action, asked url.Values) error {
	if a.Slow != "" {
		slow := time.AfterFunc(time.Second, background.Safely(nil, func() { _, _ = fmt.Fprintln(cmd.ErrOrStderr(), a.Slow) }))
		defer slow.Stop()
	}
	resp, err := ask(cmd, a, asked)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Header.Get("Content-Type") == adminapi.StreamType {
		return printStream(cmd, a, asked, resp.Body)
	}
	var answer json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("reading the answer of the admin API: %w", err)
	}
	if err := printAnswer(cmd, a, asked, answer); err != nil || a.Failed == nil {
		return err
	}
	return a.Failed(answer)
}

// printAnswer prints an answer for people or, with --json, as it is.
func printAnswer(cmd *cobra.Command, a *adminapi.Action, asked url.Values, answer any) error {
	if asJSON(cmd) {
		return printJSON(cmd, answer)
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return a.Show(printerOf(cmd), asked, raw)
}

// printStream prints an answer of many lines as they come. With --json they are
// printed as they are, but for the progress.
func printStream(cmd *cobra.Command, a *adminapi.Action, asked url.Values, body io.Reader) error {
	p, meter, items := printerOf(cmd), newMeter(cmd), 0
	defer meter.clear()
	for lines := json.NewDecoder(body); ; {
		var raw json.RawMessage
		var line adminapi.Line
		err := lines.Decode(&raw)
		if err == nil {
			err = json.Unmarshal(raw, &line)
		}
		switch {
		case err != nil:
			return fmt.Errorf("the admin API's answer was cut short: %w", err)
		case line.Error != "":
			return errors.New(line.Error)
		case line.Progress != nil:
			if a.Progress != nil {
				meter.show(a.Progress(line.Progress))
			}
			continue
		}
		meter.clear()
		switch {
		case asJSON(cmd):
			p.Printf("%s\n", raw)
		case line.Done != nil && a.End != nil:
			return a.End(p, asked, line.Done)
		case line.Done != nil:
			return a.Show(p, asked, line.Done)
		case a.Item != nil:
			a.Item(p, items, line)
			items++
		}
		if p.Err != nil || line.Done != nil {
			return p.Err
		}
	}
}
