package command

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
)

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
			time.Sleep(showEvery * 2 / 3)
		}
		time.Sleep(showEvery)
		m.show("3") // covers what was there
		m.clear()
		if want := "\r1 user\r10 users\r3       \r \r"; out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	})
}
