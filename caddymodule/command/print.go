package command

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
)

// printerOf returns what prints the answers of a command.
func printerOf(cmd *cobra.Command) *adminapi.Printer {
	return &adminapi.Printer{Out: cmd.OutOrStdout(), Notes: cmd.ErrOrStderr()}
}

func asJSON(cmd *cobra.Command) bool {
	yes, err := cmd.Flags().GetBool("json")
	return err == nil && yes
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// meter shows the progress of long work in one line of a terminal, and nowhere else.
type meter struct {
	to    io.Writer // nil for nowhere
	shown int
	last  time.Time
}

func newMeter(cmd *cobra.Command) *meter {
	if f, ok := cmd.ErrOrStderr().(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &meter{to: f}
	}
	return &meter{}
}

// showEvery is how often the progress that is shown changes at most.
const showEvery = 200 * time.Millisecond

// show replaces what is shown.
func (m *meter) show(text string) {
	if m.to == nil || time.Since(m.last) < showEvery {
		return
	}
	m.last = time.Now()
	_, _ = fmt.Fprintf(m.to, "\r%s%s", text, strings.Repeat(" ", max(0, m.shown-len(text))))
	m.shown = len(text)
}

// clear takes away what is shown.
func (m *meter) clear() {
	if m.shown > 0 {
		_, _ = fmt.Fprintf(m.to, "\r%s\r", strings.Repeat(" ", m.shown))
		m.shown = 0
	}
}
