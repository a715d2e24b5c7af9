package caddymodule

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
)

// TestCommandRefusesEmptyValues: a variable of the shell that is not set must
// not make a command about more than it was meant for.
func TestCommandRefusesEmptyValues(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	alice := g.login()
	for _, tt := range []struct {
		args []string
		want string // what the message names
	}{
		{[]string{"grants", "end", "local|alice", "--before", ""}, "--before is empty"},
		{[]string{"grants", "end", "local|alice", "--family", ""}, "--family is empty"},
		{[]string{"grants", "end", "local|alice", "--client", ""}, "--client is empty"},
		{[]string{"grants", "end", "--before", "2026-01-01T00:00:00Z", "--everyone", "--client", " "}, "--client is empty"},
		{[]string{"grants", "end", "local|alice", ""}, "argument 2 is empty"},
		{[]string{"grants", "end", "", "--family", "hYOaL1gOij6LtAJgvMow1A"}, "argument 1 is empty"},
		{[]string{"grants", "end", ""}, "argument 1 is empty"},
		{[]string{"grants", "list", ""}, "argument 1 is empty"},
		{[]string{"grants", "list", "local|alice", "--client", ""}, "--client is empty"},
		{[]string{"grants", "show", "hYOaL1gOij6LtAJgvMow1A", "--subject", ""}, "--subject is empty"},
		{[]string{"users", "show", ""}, "argument 1 is empty"},
		{[]string{"users", "disable", "  "}, "argument 1 is empty"},
		{[]string{"users", "enable", ""}, "argument 1 is empty"},
		{[]string{"clients", "end", ""}, "argument 1 is empty"},
		{[]string{"explain", ""}, "argument 1 is empty"},
		{[]string{"tokens", "deny", "--subject", "", "--jti", ""}, "is empty"},
		{[]string{"export", "--to", ""}, "--to is empty"},
		{[]string{"stats", "--config", ""}, "--config is empty"},
	} {
		out, err := g.run(tt.args...)
		if err == nil || !strings.Contains(err.Error(), "status 2") || !strings.Contains(out, tt.want) {
			t.Errorf("caddy oauth %q: %v, want exit code 2 and %q:\n%s", tt.args, err, tt.want, out)
		}
	}
	if alice = g.refresh(alice.RefreshToken); alice.AccessToken == "" {
		t.Errorf("something was ended: %d %s", alice.status, alice.body)
	}
}

// TestCommandIDsWithADash: ids of the log are base64url, so that some look like flags.
func TestCommandIDsWithADash(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	alice := g.login()
	for _, args := range [][]string{
		{"explain", "-YaL1gOij6LtAJgvMow1A"},
		{"explain", "--YaL1gOij6LtAJgvMow1A"},
		{"explain", "-aYL1gOij6LtAJgvMow1A"},
		{"grants", "end", "local|alice", "-YaL1gOij6LtAJgvMow1A"},
		{"grants", "end", "local|alice", "-aYL1gOij6LtAJgvMow1A"},
		{"grants", "end", "local|alice", "-cYL1gOij6LtAJgvMow1A"},
	} {
		out, err := g.run(args...)
		if err == nil || !strings.Contains(err.Error(), "status 2") || !strings.Contains(out, "explain -- -YaL1gOij6LtAJgvMow1A") {
			t.Errorf("caddy oauth %q: %v\n%s", args, err, out)
		}
	}
	if alice = g.refresh(alice.RefreshToken); alice.AccessToken == "" {
		t.Errorf("something was ended: %d %s", alice.status, alice.body)
	}
	if _, _, err := g.runWith("", "explain", "--address", g.AdminAddr, "--", "-YaL1gOij6LtAJgvMow1A"); err == nil || !strings.Contains(err.Error(), "nothing is known") {
		t.Errorf("with the dashes: %v", err)
	}
}

// TestMeterWritesToATerminal and nowhere else: a log of a job, or a pipe, has no
// use for what is overwritten.
func TestMeterWritesToATerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var cmd cobra.Command
	cmd.SetErr(file)
	m := newMeter(&cmd)
	m.show("1 user looked at")
	m.clear()
	if info, err := file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("%d bytes in a file, %v", info.Size(), err)
	}
	cmd.SetErr(null)
	if newMeter(&cmd).to != nil {
		t.Error("progress goes to /dev/null")
	}
	if terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil { // where there are any
		defer terminal.Close()
		cmd.SetErr(terminal)
		if newMeter(&cmd).to == nil {
			t.Error("nothing is shown on a terminal")
		}
	}
	cmd.SetErr(new(bytes.Buffer))
	if newMeter(&cmd).to != nil {
		t.Error("progress goes to a buffer")
	}
}

func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := &meter{to: &out}
		m.clear()
		for _, text := range []string{"1 user", "2 users, too soon to be shown", "10 users"} {
			m.show(text)
			time.Sleep(flushEvery * 2 / 3)
		}
		time.Sleep(flushEvery)
		m.show("3") // covers what was there
		m.clear()
		if want := "\r1 user\r10 users\r3       \r \r"; out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	})
}

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
