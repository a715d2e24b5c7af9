// Command xcaddy builds Caddy with Gatehouse as xcaddy.json says, from this
// working tree instead of the published module:
//
//	go run -modfile=.ci/tools.mod ./.ci/xcaddy xcaddy.json bin/caddy
//
// For a release it builds for other systems, and puts the version in:
//
//	go run … ./.ci/xcaddy -system darwin/arm64 -release v1.0.0 xcaddy.json caddy
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/xcaddy"
)

const module = "github.com/gatehouse-auth/gatehouse"

func main() {
	system := flag.String("system", "", "operating system and processor, such as linux/arm64; this one's if empty")
	release := flag.String("release", "", "version of Gatehouse to put in")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: xcaddy [-system linux/arm64] [-release v1.0.0] <xcaddy.json> <output>")
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	var b xcaddy.Builder
	b.OS, b.Arch, _ = strings.Cut(*system, "/")
	if *release != "" {
		b.BuildFlags = "-ldflags '-w -s -X " + module + "/caddymodule/adminapi.release=" + *release + "'"
	}
	if err := quietly(func() error { return build(&b, flag.Arg(0), flag.Arg(1)) }); err != nil {
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

// build adds to b what the config says, and builds that.
func build(b *xcaddy.Builder, config, output string) error {
	f, err := os.Open(config)
	if err != nil {
		return err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(b); err != nil {
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
