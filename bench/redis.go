package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
)

// benchRedis measures what Gatehouse does on a real Redis: rotations, guarded
// routes, memory, the list of a person's grants, and how soon another node hears
// of a revocation.
func benchRedis(ctx context.Context, o options) error {
	if path, _ := exec.LookPath("redis-server"); path == "" {
		fmt.Println("### On Redis: SKIPPED, there is no redis-server (apt-get install redis-server)")
		return nil
	}
	for _, part := range []func(context.Context, options) error{benchRedisRefresh, benchRedisRoute, benchRedisMemory, benchRedisList, benchLag} {
		if err := part(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// benchRedisRefresh is benchRefresh on Redis. The ceiling is net/http, one
// script and one signature.
func benchRedisRefresh(ctx context.Context, o options) error {
	r, s, sd, err := onRedis(ctx, o, "redis-refresh")
	if err != nil {
		return err
	}
	workers := []int{1, 16, 64}
	chains, err := sd.refreshTokens(ctx, slices.Max(workers), "offline_access read")
	if err := errors.Join(err, sd.close()); err != nil {
		return err
	}
	srv, err := start(ctx, o, s)
	if err != nil {
		return err
	}
	ceiling, err := startCeiling(ctx, ceilingOnRedis, r.addr)
	if err != nil {
		return err
	}
	fmt.Println("### Refresh rotations on Redis, ES256 (each worker rotates its own chain)")
	fmt.Println()
	if err := srv.compareRotations(ctx, o, workers, chains, ceiling.url); err != nil {
		return err
	}
	return errors.Join(ceiling.stop(), srv.stop(), r.stop())
}

// benchRedisRoute measures guarded routes whose tokens are each another
// person's, so that nothing is known of who comes with a fresh one.
func benchRedisRoute(ctx context.Context, o options) error {
	r, s, sd, err := onRedis(ctx, o, "redis-route")
	if err != nil {
		return err
	}
	fresh := 15_000 * o.seconds
	files, err := writeFiles(o, filepath.Base(s.Store), fresh, func(n int) ([]string, error) { return sd.userTokens(ctx, n) })
	if err := errors.Join(err, sd.close()); err != nil {
		return err
	}
	if err := measureRoute(ctx, o, s, "Guarded route on Redis, ES256, each token another person's", files, fresh); err != nil {
		return err
	}
	return r.stop()
}
