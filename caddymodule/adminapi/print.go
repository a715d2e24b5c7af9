package adminapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

// Printer prints answers for people. It stops at the first error.
type Printer struct {
	Out, Notes io.Writer // the standard output, and the standard error
	Err        error
}

// Printf prints a part of the answer.
func (p *Printer) Printf(format string, args ...any) {
	if p.Err == nil {
		_, p.Err = fmt.Fprintf(p.Out, format, args...)
	}
}

// Note tells something that is no part of the answer, and no failure.
func (p *Printer) Note(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Notes, "Note: "+format+"\n", args...)
}

// Table prints rows in columns that are as wide as they have to be.
func (p *Printer) Table(rows [][]string) {
	t := tabwriter.NewWriter(p.Out, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if p.Err == nil {
		p.Err = t.Flush()
	}
}

// shows makes what prints an answer of a type print the JSON of one.
func shows[T any](show func(p *Printer, asked url.Values, answer T)) func(*Printer, url.Values, json.RawMessage) error {
	return func(p *Printer, asked url.Values, raw json.RawMessage) error {
		var answer T
		if err := json.Unmarshal(raw, &answer); err != nil {
			return fmt.Errorf("reading the answer of the admin API: %w", err)
		}
		show(p, asked, answer)
		return p.Err
	}
}

// reports makes a line of what a stream tells of its progress.
func reports[T any](text func(T) string) func(json.RawMessage) string {
	return func(raw json.RawMessage) string {
		var at T
		if err := json.Unmarshal(raw, &at); err != nil {
			return ""
		}
		return text(at)
	}
}

// number writes a count with its noun.
func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Families writes a number of refresh token families.
func Families(n int) string { return number(n, "refresh token family", "refresh token families") }

// Users writes a number of users.
func Users(n int) string { return number(n, "user", "users") }

// Sessions writes a number of sessions.
func Sessions(n int) string { return number(n, "session", "sessions") }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}
