package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// benchAbuse measures what alice notices of what bob does, by the rule that no
// work grows with what one user has done before. In the same run bob first sends as
// many harmless requests, so that the ratio is not of shared processors.
func benchAbuse(ctx context.Context, o options) error {
	fmt.Printf("### Alice's refreshes and logins while bob does his worst, %s each, %d of his requests a second unless the row has its own rate\n\n", o.abuse.last, o.abuse.rate)
	fmt.Println("| store | bob | his rate/s, answers | refresh p50, p99 quiet | under attack | ratio of p99 | login p50, p99 quiet | under attack | ratio of p99 | gateway's CPU | her refusals |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|")
	for _, store := range []string{"bbolt", "Redis"} {
		for _, row := range abuseRows {
			if !wanted(o.abuse.rows, row.name) {
				continue
			}
			if err := measureAbuse(ctx, o, store, row); err != nil {
				return fmt.Errorf("%s on %s: %w", row.name, store, err)
			}
		}
	}
	fmt.Println()
	return nil
}

// wanted reports whether a list of names, parted by commas, is empty or has the begin of name.
func wanted(list, name string) bool {
	return list == "" || slices.ContainsFunc(strings.Split(list, ","), func(w string) bool { return strings.HasPrefix(name, w) })
}

// measureAbuse runs one row on a server of its own.
func measureAbuse(ctx context.Context, o options, store string, row abuseRow) (err error) {
	s, err := newSetup(o, "abuse", "ES256")
	if err != nil {
		return err
	}
	s.Store = filepath.Join(o.dir, fmt.Sprintf("abuse-%d.db", s.AuthPort))
	s.File = abuseSite
	provider, err := startSlowProvider()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.stop()) }()
	s.Provider = provider.issuer
	if store == "Redis" {
		r, err := startRedis(ctx, o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.stop()) }()
		s.Redis = r.addr
	}
	srv, err := start(ctx, o, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	site := &abuseSiteOf{server: srv, admin: fmt.Sprintf("http://localhost:%d", s.AdminPort)}
	alice, err := newPerson(ctx, site, "alice", alicePassword, "198.51.100.7")
	if err != nil {
		return err
	}
	attack, err := row.begin(ctx, site)
	if err != nil {
		return err
	}
	rate := o.abuse.rate
	if row.rate > 0 {
		rate = row.rate
	}
	var quiet, loud lived
	harmless := max(cmp.Or(o.abuse.quiet, rate), 1)
	bob := newTraffic(attack, rate, row.workers)
	for range o.abuse.rounds {
		alice.live(ctx, o, newTraffic(site.harmless(), harmless, row.workers), &quiet)
		pause(ctx, o.abuse.settles)
		halfway := time.AfterFunc(o.abuse.last/2, func() {
			if row.halfway != nil {
				bob.answers.note(row.halfway(ctx, site))
			}
		})
		alice.live(ctx, o, bob, &loud)
		halfway.Stop()
	}
	fmt.Printf("| %s | %s | %.0f, %s | %s | %s | %s | %s | %s | %s | %s, %s | %s |\n", store, row.name, bob.rateDone(o.abuse.last)/float64(o.abuse.rounds), &bob.answers,
		quiet.refreshes, loud.refreshes, ratioOf(quiet.refreshes, loud.refreshes), quiet.logins, loud.logins, ratioOf(quiet.logins, loud.logins), quiet.share(o), loud.share(o), &loud.refused)
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func ratioOf(quiet, loud times) string {
	if len(quiet) == 0 || len(loud) == 0 {
		return "none got through"
	}
	return fmt.Sprintf("%.2f", float64(loud.at(99))/float64(quiet.at(99)))
}
