package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed tokens.lua
var tokensLua []byte

// load is one way to ask for a route. The same requests go to the plain route
// and to the guarded one.
type load struct {
	name   string
	tokens string // a file of tokens
	header string // that they are sent in, as they are; "" for Authorization
	warm   bool   // ask for each token before measuring
	fresh  int    // how many tokens there are, where each may come once; 0 where they may come again
}

// pair is a load on the plain route and on the guarded one.
type pair struct{ plain, guarded sample }

// sample is one measurement with wrk.
type sample struct {
	rate  float64 // requests per second
	cpu   float64 // microseconds of server CPU per request
	p99   time.Duration
	total int // requests
	wrong int // answers other than 2xx
}

// benchRoute measures a guarded route beside the same route without bearer_auth.
func benchRoute(ctx context.Context, o options) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return fmt.Errorf("finding wrk: %w (apt-get install wrk)", err)
	}
	for _, alg := range []string{"ES256", "RS256"} {
		if err := benchAlgorithm(ctx, o, alg); err != nil {
			return err
		}
	}
	return nil
}

func benchAlgorithm(ctx context.Context, o options, alg string) error {
	s, err := newSetup(o, "route-"+alg, alg)
	if err != nil {
		return err
	}
	fresh := 40_000 * o.seconds // more than are asked for in one measurement
	files, err := writeTokens(ctx, o, s, fresh)
	if err != nil {
		return err
	}
	return measureRoute(ctx, o, s, fmt.Sprintf("Guarded route, %s", alg), files, fresh)
}

// measureRoute measures the loads with files of one token, of 10,000 and of so many fresh ones.
func measureRoute(ctx context.Context, o options, s setup, title string, files [3]string, fresh int) error {
	loads := []load{
		{name: "one token", tokens: files[0]},
		{name: "10,000 tokens", tokens: files[1], warm: true},
		{name: "always fresh tokens", tokens: files[2], fresh: fresh},
	}
	samples := make(map[string][]pair)
	for range o.rounds {
		srv, err := start(ctx, o, s) // anew each round, so that fresh tokens are fresh
		if err != nil {
			return err
		}
		for _, l := range loads {
			p, err := srv.measurePair(ctx, o, l)
			if err != nil {
				return err
			}
			samples[l.name] = append(samples[l.name], p)
		}
		if err := srv.stop(); err != nil {
			return err
		}
	}
	printRoute(title, loads, samples)
	return nil
}

// writeTokens mints the tokens into files for wrk: one, 10,000, and as many
// as one measurement can ask for.
func writeTokens(ctx context.Context, o options, s setup, fresh int) ([3]string, error) {
	var files [3]string
	sd, err := openSeed(ctx, s.Store, s.Issuer, s.Algorithm)
	if err != nil {
		return files, err
	}
	if files, err = writeFiles(o, s.Algorithm, fresh, func(n int) ([]string, error) { return sd.accessTokens(ctx, n) }); err != nil {
		return files, err
	}
	return files, sd.close()
}

// writeFiles writes what mint makes.
func writeFiles(o options, name string, fresh int, mint func(n int) ([]string, error)) (files [3]string, err error) {
	for i, n := range []int{1, 10_000, fresh} {
		list, err := mint(n)
		if err != nil {
			return files, err
		}
		files[i] = filepath.Join(o.dir, fmt.Sprintf("%s-%d.tokens", name, i))
		if err := os.WriteFile(files[i], []byte(strings.Join(list, "\n")+"\n"), 0o600); err != nil {
			return files, err
		}
	}
	return files, nil
}

var (
	rateLine  = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	totalLine = regexp.MustCompile(`(\d+) requests in`)
	p99Line   = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
	wrongLine = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

func (s *server) measurePair(ctx context.Context, o options, l load) (p pair, err error) {
	if p.plain, err = s.measure(ctx, o, l, "/plain"); err != nil {
		return p, err
	}
	if l.warm {
		if _, err := s.measure(ctx, o, l, "/guarded"); err != nil {
			return p, err
		}
	}
	p.guarded, err = s.measure(ctx, o, l, "/guarded")
	switch {
	case err != nil:
	case p.guarded.wrong > 0:
		err = fmt.Errorf("%s: %d answers were not 2xx", l.name, p.guarded.wrong)
	case l.fresh > 0 && p.guarded.total > l.fresh*9/10: // each of wrk's threads has a half, and may ask for more than the other
		err = fmt.Errorf("%s: %d requests with %d tokens: some came twice", l.name, p.guarded.total, l.fresh)
	}
	return p, err
}

func (s *server) measure(ctx context.Context, o options, l load, path string) (sample, error) {
	script := filepath.Join(o.dir, "tokens.lua")
	if err := os.WriteFile(script, tokensLua, 0o600); err != nil {
		return sample{}, err
	}
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	cmd := exec.CommandContext(ctx, "wrk", "-t2", "-c64", fmt.Sprintf("-d%ds", o.seconds), "--latency", "-s", script, s.base+path)
	cmd.Env = append(os.Environ(), "TOKENS="+l.tokens, "TOKEN_HEADER="+l.header)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("running wrk: %w: %s", err, out)
	}
	after, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	var m sample
	m.rate = number(rateLine, out)
	m.total = int(number(totalLine, out))
	m.cpu = float64((after - before).Microseconds()) / float64(max(m.total, 1))
	m.wrong = int(number(wrongLine, out))
	if found := p99Line.FindSubmatch(out); found != nil {
		m.p99, _ = time.ParseDuration(string(found[1]) + string(found[2]))
	}
	return m, nil
}

func number(re *regexp.Regexp, out []byte) float64 {
	found := re.FindSubmatch(out)
	if found == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(string(found[1]), 64)
	return n
}

func printRoute(title string, loads []load, samples map[string][]pair) {
	fmt.Printf("### %s (wrk, 2 threads, 64 connections)\n\n", title)
	fmt.Println("| load | plain, requests/s | guarded, requests/s | ratio | added CPU, us/request | p99 plain | p99 guarded |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, l := range loads {
		var plain, guarded, ratios, added, p99Plain, p99Guarded []float64
		for _, p := range samples[l.name] {
			plain, guarded = append(plain, p.plain.rate), append(guarded, p.guarded.rate)
			ratios = append(ratios, p.guarded.rate/p.plain.rate)
			added = append(added, p.guarded.cpu-p.plain.cpu)
			p99Plain, p99Guarded = append(p99Plain, float64(p.plain.p99)), append(p99Guarded, float64(p.guarded.p99))
		}
		fmt.Printf("| %s | %.0f | %.0f | %.3f | %+.2f | %s | %s |\n", l.name, median(plain), median(guarded), median(ratios), median(added),
			time.Duration(median(p99Plain)).Round(10*time.Microsecond), time.Duration(median(p99Guarded)).Round(10*time.Microsecond))
	}
	fmt.Println()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
