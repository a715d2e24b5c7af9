package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// grantsListed is how many grants the person has whose list is measured, and
// lists how often it is.
const (
	grantsListed = 200
	lists        = 2000
)

// benchRedisList lists what one person with many logins holds: as `caddy oauth
// grants list` does, and with the histories, as /account does.
func benchRedisList(ctx context.Context, o options) error {
	r, _, sd, err := onRedis(ctx, o, "redis-list")
	if err != nil {
		return err
	}
	const subject = "bench|many"
	for range grantsListed {
		if _, err := sd.login(ctx, subject, "offline_access read"); err != nil {
			return err
		}
	}
	login, _, err := sd.issuer.SignIn(ctx, tokens.Profile{Subject: subject, Login: "bench", Fingerprint: benchLogin}, "")
	if err != nil {
		return err
	}
	fmt.Printf("### A list of one person's %d grants on Redis, %d times\n\n", grantsListed, lists)
	fmt.Println("| list | p50 | p99 |")
	fmt.Println("|---|---|---|")
	for _, row := range []struct {
		name string
		list func() (int, error)
	}{
		{"grants", func() (int, error) {
			grants, err := sd.issuer.Grants(ctx, subject)
			return len(grants), err
		}},
		{"grants and histories", func() (int, error) {
			apps, _, err := sd.issuer.SignedIn(ctx, login, 0, grantsListed)
			return len(apps), err
		}},
	} {
		took := make([]time.Duration, lists)
		for i := range took {
			begun := time.Now()
			n, err := row.list()
			if took[i] = time.Since(begun); err != nil || n != grantsListed {
				return fmt.Errorf("listing %s: %d of %d, %w", row.name, n, grantsListed, err)
			}
		}
		slices.Sort(took)
		fmt.Printf("| %s | %.2f ms | %.2f ms |\n", row.name, milliseconds(took[lists/2]), milliseconds(took[lists*99/100]))
	}
	fmt.Println()
	return errors.Join(sd.close(), r.stop())
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
