// Command xcaddy builds Caddy with Gatehouse as xcaddy.json says, from this
// working tree instead of the published module:
//
//	go run -modfile=.ci/tools.mod ./.ci/xcaddy xcaddy.json bin/caddy
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/caddyserver/xcaddy"
)

const module = "github.com/gatehouse-auth/gatehouse"

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: xcaddy <xcaddy.json> <output>")
		os.Exit(2)
	}
	if err := quietly(func() error { return build(os.Args[1], os.Args[2]) }); err != nil {
		fmt.Fprintf(os.Stderr, "building Caddy: %v\n", err)
		os.Exit(1)
	}
}

// quietly runs f and tells what xcaddy and Go said meanwhile only when it ends badly.
func quietly(f func() error) error {
	said, err := os.CreateTemp("", "xcaddy-")
	if err != nil {
		return err
	}
	defer os.Remove(said.Name())
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = said, said
	log.SetOutput(said)
	err = f()
	os.Stdout, os.Stderr = stdout, stderr
	if err != nil {
		_, _ = said.Seek(0, io.SeekStart)
		_, _ = io.Copy(stderr, said)
	}
	return err
}

func build(config, output string) error {
	f, err := os.Open(config)
	if err != nil {
		return err
	}
	defer f.Close()
	var b xcaddy.Builder
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return fmt.Errorf("reading %s: %w", config, err)
	}
	tree, err := filepath.Abs(filepath.Dir(config))
	if err != nil {
		return err
	}
	for i, p := range b.Plugins {
		if p.PackagePath == module {
			// Any version will do: the working tree stands in for it, and
			// naming one keeps `go get` from asking the network for the latest.
			b.Plugins[i].Version = "v0.0.0"
			b.Replacements = append(b.Replacements, xcaddy.NewReplace(module, tree))
		}
	}
	return b.Build(context.Background(), output)
}
