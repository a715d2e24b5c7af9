package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// adminCallTo asks the admin API. A body is sent as JSON.
func adminCallTo(cmd *cobra.Command, method, path string, query url.Values, body any) (*http.Response, error) {
	flags := caddycmd.Flags{FlagSet: cmd.Flags()}
	address, err := caddycmd.DetermineAdminAPIAddress(flags.String("address"), nil, flags.String("config"), flags.String("adapter"))
	if err != nil {
		return nil, fmt.Errorf("finding the admin API: %w", err)
	}
	uri := adminBase + path
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	resp, err := caddycmd.AdminAPIRequest(address, method, uri, nil, content)
	if err != nil {
		return nil, explainCall(address, err)
	}
	return resp, nil
}

// refusal is how Caddy's client tells of an answer that is an error.
var refusal = regexp.MustCompile(`HTTP (\d+): (\{.*\})`)

// explainCall makes the error of a call to the admin API one for people. What
// the server calls a bad request was asked for in a wrong way.
func explainCall(address string, err error) error {
	if found := refusal.FindStringSubmatch(err.Error()); found != nil {
		var answer struct {
			Error string `json:"error"`
		}
		if json.Unmarshal([]byte(found[2]), &answer) == nil && answer.Error != "" {
			if found[1] == "400" {
				return wrongUsef("%s", answer.Error)
			}
			return errors.New(strings.Replace(answer.Error, forceParameter+forceDoes, "--force"+forceDoes, 1))
		}
	}
	hint := "" // Caddy's client wraps no error
	if strings.Contains(err.Error(), "refused") {
		hint = "; after a refused reload Caddy listens where the refused configuration has its `admin`: name that with --address"
	}
	return fmt.Errorf("asking the admin API at %s: %w%s", address, err, hint)
}

// call asks the admin API and prints the answer.
func call[T any](cmd *cobra.Command, method, path string, query url.Values, table func(io.Writer, T) error) error {
	return callWith(cmd, method, path, query, nil, table)
}

func callWith[T any](cmd *cobra.Command, method, path string, query url.Values, body any, table func(io.Writer, T) error) error {
	resp, err := adminCallTo(cmd, method, path, query, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer T
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("reading the answer of the admin API: %w", err)
	}
	if asJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), answer)
	}
	return table(cmd.OutOrStdout(), answer)
}

// endUntilHeard says why the end of a client, or of everyone, may take a while.
const endUntilHeard = "waiting until every gateway must have heard of the end: over a Redis Cluster that takes some seconds longer than max_lag. " +
	"Before it is confirmed, something may slip past it"

// patiently says on standard error what a call waits for, if it takes longer than a second.
func patiently(cmd *cobra.Command, what string, run func() error) error {
	slow := time.AfterFunc(time.Second, background.Safely(nil, func() { _, _ = fmt.Fprintln(cmd.ErrOrStderr(), what) }))
	defer slow.Stop()
	return run()
}

// streamedLine is a line of a long answer; one member is there.
type streamedLine struct {
	Grant    *grantInfo      `json:"grant"`
	User     *userInfo       `json:"user"`
	Progress json.RawMessage `json:"progress"`
	Done     json.RawMessage `json:"done"`
	Error    string          `json:"error"`
}

// stream asks for a long answer, hands on its items and returns its end. With
// --json the lines are printed as they come, but for the progress.
func stream[T any](cmd *cobra.Command, method, path string, query url.Values, item func(streamedLine) error, progress func(T) string) (end T, err error) {
	resp, err := adminCallTo(cmd, method, path, query, nil)
	if err != nil {
		return end, err
	}
	defer func() { _ = resp.Body.Close() }()
	meter := newMeter(cmd)
	defer meter.clear()
	for lines := json.NewDecoder(resp.Body); ; {
		var raw json.RawMessage
		var line streamedLine
		err := lines.Decode(&raw)
		if err == nil {
			err = json.Unmarshal(raw, &line)
		}
		if err != nil {
			return end, fmt.Errorf("the answer of the admin API has broken off: %w", err)
		}
		if asJSON(cmd) && line.Progress == nil && line.Error == "" {
			meter.clear()
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", raw); err != nil {
				return end, err
			}
		}
		switch {
		case line.Error != "":
			return end, errors.New(line.Error)
		case line.Done != nil:
			return end, json.Unmarshal(line.Done, &end)
		case line.Progress != nil:
			var at T
			if err := json.Unmarshal(line.Progress, &at); err == nil {
				meter.show(progress(at))
			}
		case !asJSON(cmd):
			meter.clear()
			if err := item(line); err != nil {
				return end, err
			}
		}
	}
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

// show replaces what is shown, a few times a second at most.
func (m *meter) show(text string) {
	if m.to == nil || time.Since(m.last) < flushEvery {
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
