package command

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
)

// H5: /dev/null was taken for a terminal, and its reader asked to paste something.
func TestDevNullIsNoTerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	var said bytes.Buffer
	cmd := new(cobra.Command)
	cmd.SetIn(null)
	cmd.SetErr(&said)
	if _, err := readToken(cmd); err == nil || said.Len() > 0 {
		t.Errorf("%v, and it asks: %s", err, said.String())
	}
}

// Each action can be called by the words that its usage shows.
func TestActionsAreCommands(t *testing.T) {
	root := &cobra.Command{Use: "oauth"}
	oauthCommand(root)
	for _, a := range adminapi.Actions {
		var words []string
		for word := range strings.FieldsSeq(a.Use) {
			if strings.ContainsAny(word, "<[-") {
				break
			}
			words = append(words, word)
		}
		if cmd, rest, err := root.Find(words); err != nil || len(rest) > 0 {
			t.Errorf("caddy oauth %s: %q is left of the words, of %s: %v", a.Use, rest, cmd.Name(), err)
		}
	}
}
