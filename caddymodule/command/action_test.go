package command

import (
	"bytes"
	"os"
	"testing"

	"github.com/spf13/cobra"
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
