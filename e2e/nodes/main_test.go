// Package nodes runs several gateways, each a Caddy process of its own, over
// one real Redis, lets honest clients use them while things break, and checks
// from the recorded history that every promise was kept.
package nodes

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// caddy is the program of every node.
var caddy string

// TestMain finds or builds Caddy, once for all tests.
func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if testing.Short() {
		fmt.Fprintln(os.Stderr, "SKIPPED by -short: the tests of several nodes, which are processes")
		return 0, nil
	}
	if caddy = os.Getenv("GATEHOUSE_CADDY"); caddy != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "gatehouse-nodes")
	if err != nil {
		return 0, err
	}
	caddy = filepath.Join(dir, "caddy")
	build := exec.Command("go", "build", "-trimpath", "-o", caddy, "../caddy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, errors.Join(fmt.Errorf("building Caddy: %w: %s", err, out), os.RemoveAll(dir))
	}
	return m.Run(), os.RemoveAll(dir)
}
