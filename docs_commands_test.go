package gatehouse_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
)

// oauthCommand is the tree of `caddy oauth`.
func oauthCommand(t *testing.T) *cobra.Command {
	t.Helper()
	c, ok := caddycmd.Commands()["oauth"]
	if !ok {
		t.Fatal("there is no command oauth")
	}
	root := &cobra.Command{Use: "oauth", SilenceErrors: true, SilenceUsage: true}
	c.CobraFunc(root)
	return root
}

// commandLines are the lines of a page, and the texts in it, that run `caddy oauth`.
func commandLines(page string) (lines []string) {
	begins := regexp.MustCompile(`(?:^|[ |])(?:\./|nice )?caddy oauth (.*)$`)
	candidates := strings.Split(page, "\n")
	candidates = slices.DeleteFunc(candidates, func(line string) bool { return !strings.HasPrefix(line, "    ") })
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(page, -1) {
		candidates = append(candidates, strings.ReplaceAll(m[1], `\|`, "|"))
	}
	for _, text := range candidates {
		for part := range strings.SplitSeq(text, " && ") {
			if m := begins.FindStringSubmatch(part); m != nil {
				lines = append(lines, m[1])
			}
		}
	}
	return lines
}

// words splits a command line as a shell does: quotes, comments, redirections and pipes.
func words(line string) (found []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		var word string
		switch {
		case line[0] == '\'':
			word, line, _ = strings.Cut(line[1:], "'")
		case strings.Contains(strings.Fields(line)[0], "$("):
			i := strings.Index(line, ")")
			j := strings.IndexAny(line[i:]+" ", " ")
			word, line = line[:i], line[i+j:]
		case strings.ContainsRune("#|>", rune(line[0])), strings.HasPrefix(line, "< "):
			return found
		case strings.HasPrefix(line, "<"): // a word of the page's, such as <family or request id>
			word, line, _ = strings.Cut(line, ">")
		default:
			word, line, _ = strings.Cut(line, " ")
		}
		found = append(found, strings.Trim(word, `"`))
	}
	return found
}

// TestDocumentedCommands: each `caddy oauth` line of the pages is a command with such flags and arguments.
func TestDocumentedCommands(t *testing.T) {
	checked := 0
	for name, text := range documentation(t) {
		for _, line := range commandLines(text) {
			args := words(line)
			if len(args) == 0 || strings.HasSuffix(line, "…") {
				continue
			}
			checked++
			cmd, rest, err := oauthCommand(t).Find(args)
			if err != nil {
				t.Errorf("%s: caddy oauth %s: %v", name, line, err)
				continue
			}
			switch err := cmd.ParseFlags(rest); {
			case err != nil:
				t.Errorf("%s: caddy oauth %s: %v", name, line, err)
			case cmd.HasSubCommands() && cmd.Flags().NArg() > 0:
				t.Errorf("%s: caddy oauth %s: there is no such command", name, line)
			// A text in a sentence may leave out what it is about: `caddy oauth grants end`.
			case cmd.Flags().NArg() > 0 && !cmd.HasSubCommands():
				if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
					t.Errorf("%s: caddy oauth %s: %v", name, line, err)
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("found %d commands", checked)
	}
}

// TestCommandsAreDocumented: docs/cli.md has each command with each flag of its own, and each
// request of the admin API.
func TestCommandsAreDocumented(t *testing.T) {
	page := documentation(t)["docs/cli.md"]
	shown := make(map[string]bool)
	for _, line := range commandLines(page) {
		if cmd, _, err := oauthCommand(t).Find(words(line)); err == nil {
			shown[cmd.CommandPath()] = true
		}
	}
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
		if cmd.HasSubCommands() || cmd.Name() == "help" {
			return
		}
		if !shown[cmd.CommandPath()] {
			t.Errorf("docs/cli.md shows no line with caddy %s", cmd.CommandPath())
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(page, "--"+f.Name) {
				t.Errorf("docs/cli.md does not have --%s of caddy %s", f.Name, cmd.CommandPath())
			}
		})
	}
	visit(oauthCommand(t))

	requests := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:GET|POST|DELETE) /oauth/[^`]+)` \\|").FindAllStringSubmatch(page, -1) {
		requests[m[1]] = true
	}
	for _, a := range adminapi.Actions {
		request := a.Method + " /oauth/" + a.Path
		if !requests[request] {
			t.Errorf("docs/cli.md does not have %s", request)
		}
	}
	for request := range requests {
		if !slices.ContainsFunc(adminapi.Actions, func(a *adminapi.Action) bool { return a.Method+" /oauth/"+a.Path == request }) {
			t.Errorf("docs/cli.md has %s, which does not exist", request)
		}
	}
}
