// Command bench measures Gatehouse against baselines in the same run and
// prints a Markdown table. It needs a Caddy binary with Gatehouse and, for the
// guarded route, wrk.
//
//	make bench
//	go run ./bench -caddy bin/caddy -only route -seconds 8
//
// Read the ratios: absolute rates differ from machine to machine, and the load
// generator shares the processors with the server.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	var o options
	flag.StringVar(&o.caddy, "caddy", "bin/caddy", "Caddy binary with Gatehouse")
	flag.StringVar(&o.only, "only", "", "run one part: route, site, peer, memory, refresh, logins, idtoken, redis or abuse")
	flag.IntVar(&o.seconds, "seconds", 8, "length of one measurement")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; medians are printed")
	flag.StringVar(&o.abuse.rows, "abuse-rows", "", "abuse: only the rows whose names begin so, parted by commas: A1,A3")
	flag.IntVar(&o.abuse.rate, "abuse-rate", 500, "abuse: bob's requests a second")
	flag.DurationVar(&o.abuse.last, "abuse-last", 10*time.Second, "abuse: length of one measurement")
	flag.DurationVar(&o.abuse.settles, "abuse-settles", time.Second, "abuse: the pause before bob begins")
	flag.IntVar(&o.abuse.quiet, "abuse-quiet-rate", 0, "abuse: harmless requests a second while it is quiet; 0 for as many as bob's")
	flag.IntVar(&o.abuse.rounds, "abuse-rounds", 1, "abuse: rounds, whose samples are put together")
	kind := flag.String("ceiling", "", "serve a ceiling, for the benchmark itself")
	place := flag.String("place", "", "where that keeps what it is told")
	flag.Parse()
	work := func() error { return run(o) }
	if *kind != "" {
		work = func() error { return serveCeiling(*kind, *place) }
	}
	if err := work(); err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if o.caddy, err = filepath.Abs(o.caddy); err != nil {
		return err
	}
	if _, err := os.Stat(o.caddy); err != nil {
		return fmt.Errorf("finding Caddy: %w (run `make build` first)", err)
	}
	if o.dir, err = os.MkdirTemp("", "gatehouse-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	fmt.Printf("%s, %d processors, %s, %d rounds of %d s, medians\n\n",
		runtime.Version(), runtime.NumCPU(), time.Now().Format(time.DateOnly), o.rounds, o.seconds)
	parts := []struct {
		name string
		run  func(context.Context, options) error
	}{{"route", benchRoute}, {"site", benchSite}, {"peer", benchPeer}, {"memory", benchMemory}, {"refresh", benchRefresh}, {"logins", benchLogins}, {"idtoken", benchIDTokens}, {"redis", benchRedis}, {"abuse", benchAbuse}}
	for _, p := range parts {
		if o.only != "" && o.only != p.name {
			continue
		}
		if err := p.run(ctx, o); err != nil {
			return fmt.Errorf("measuring %s: %w", p.name, err)
		}
	}
	return nil
}
