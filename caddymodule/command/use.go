package command

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// dashHint is for who has taken an id from the log that looks like flags.
const dashHint = "an id that begins with - needs -- before it, as in: caddy oauth explain -- -YaL1gOij6LtAJgvMow1A"

// command makes a subcommand that runs f. Values that would widen what it does by
// mistake are refused, as checkValues says.
func command(use, short string, args cobra.PositionalArgs, f func(*cobra.Command, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, given []string) error {
			if err := cmp.Or(checkValues(cmd, given), args(cmd, given)); err != nil {
				return usageError(cmd, fmt.Errorf("%w; usage: %s", err, cmd.UseLine()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			err := f(cmd, args)
			if wrong, ok := errors.AsType[*useError](err); ok {
				return usageError(cmd, wrong)
			}
			return err
		},
	}
}

// checkValues refuses what was hardly meant: an empty value, and an id that was
// taken for a flag and its value, as -aL1gOij6LtAJgvMow1A is for --adapter.
func checkValues(cmd *cobra.Command, args []string) (err error) {
	for n, arg := range args {
		if strings.TrimSpace(arg) == "" {
			return fmt.Errorf("argument %d is empty: is a shell variable unset?", n+1)
		}
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if strings.TrimSpace(f.Value.String()) == "" {
			err = fmt.Errorf("--%s is empty: is a shell variable unset? Give it a value, or leave it out", f.Name)
		}
	})
	given := cmd.Flags().Changed
	switch {
	case err != nil:
		return err
	case given("config") && given("address"):
		return fmt.Errorf("--config and --address both say where the admin API is: name one of them; %s", dashHint)
	case given("adapter") && !given("config"):
		return fmt.Errorf("--adapter needs --config; %s", dashHint)
	}
	return nil
}

// asGroup gives a command subcommands. Without one, or with an unknown one, it
// is used incorrectly; cobra alone would print the help and succeed.
func asGroup(g *cobra.Command, commands ...*cobra.Command) {
	g.AddCommand(commands...)
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name()
	}
	slices.Sort(names)
	list := strings.Join(names, ", ")
	g.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return usageError(cmd, fmt.Errorf("unknown command %q for %q; available: %s", args[0], cmd.CommandPath(), list))
	}
	g.RunE = func(cmd *cobra.Command, _ []string) error {
		return usageError(cmd, fmt.Errorf("%q needs a subcommand: %s", cmd.CommandPath(), list))
	}
}

// useError is what a command returns that was used incorrectly.
type useError struct{ error }

func wrongUsef(format string, args ...any) error { return &useError{fmt.Errorf(format, args...)} }

// exitUsage is the exit code for a command that was used incorrectly.
const exitUsage = 2

// usageError prints what is wrong and returns the error that makes Caddy exit
// with exitUsage, which only Caddy can make.
func usageError(cmd *cobra.Command, err error) error {
	_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "Error: %v\n", err)
	cmd.SilenceErrors = true
	cmd.Root().SilenceErrors = true
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return exitUsage, nil })(cmd, nil)
}
