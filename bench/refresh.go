package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// rotation is one measurement of refreshes.
type rotation struct {
	rate     float64
	p50, p99 time.Duration
}

// benchRefresh measures rotations per second: each worker rotates its own
// chain. The ceiling beside it does the least that a durable rotation can:
// net/http, one signature and one fsynced append shared by those who wait.
func benchRefresh(ctx context.Context, o options) error {
	s, err := newSetup(o, "refresh", "ES256")
	if err != nil {
		return err
	}
	sd, err := openSeed(ctx, s.Store, s.Issuer, s.Algorithm)
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
	ceiling, err := startCeiling(ctx, ceilingOnFile, filepath.Join(o.dir, "ceiling.log"))
	if err != nil {
		return err
	}
	fmt.Println("### Refresh rotations on bbolt, ES256 (each worker rotates its own chain)")
	fmt.Println()
	if err := srv.compareRotations(ctx, o, workers, chains, ceiling.url); err != nil {
		return err
	}
	return errors.Join(ceiling.stop(), srv.stop())
}

// compareRotations measures the server and the ceiling in turn.
func (s *server) compareRotations(ctx context.Context, o options, workers []int, chains []string, ceiling string) error {
	fmt.Println("| workers | rotations/s | server CPU | p50 | p99 | ceiling/s | its p50 | ratio |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, n := range workers {
		var ours, used, theirs, ratios, p50, p99, theirP50 []float64
		for range o.rounds {
			before, err := s.cpu()
			if err != nil {
				return err
			}
			a, err := rotate(ctx, o, s.auth+"oauth/token", chains[:n])
			if err != nil {
				return err
			}
			after, err := s.cpu()
			if err != nil {
				return err
			}
			used = append(used, float64(after-before)/(a.rate*float64(o.seconds)))
			b, err := rotate(ctx, o, ceiling, make([]string, n))
			if err != nil {
				return err
			}
			ours, theirs, ratios = append(ours, a.rate), append(theirs, b.rate), append(ratios, a.rate/b.rate)
			p50, p99, theirP50 = append(p50, float64(a.p50)), append(p99, float64(a.p99)), append(theirP50, float64(b.p50))
		}
		fmt.Printf("| %d | %.0f | %s | %s | %s | %.0f | %s | %.2f |\n", n, median(ours), time.Duration(median(used)).Round(time.Microsecond),
			rounded(p50), rounded(p99), median(theirs), rounded(theirP50), median(ratios))
	}
	fmt.Println()
	return nil
}

// rounded is the median of durations, for a table.
func rounded(v []float64) time.Duration {
	return time.Duration(median(v)).Round(10 * time.Microsecond)
}

// rotate runs one worker per chain and leaves each chain's newest token in place.
func rotate(ctx context.Context, o options, endpoint string, chains []string) (rotation, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(chains)}}
	defer client.CloseIdleConnections()
	end := time.Now().Add(time.Duration(o.seconds) * time.Second)
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wg sync.WaitGroup
	for i := range chains {
		wg.Go(func() {
			var took []time.Duration
			var err error
			for err == nil && time.Now().Before(end) {
				begun := time.Now()
				chains[i], err = refreshOnce(ctx, client, endpoint, chains[i])
				took = append(took, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			all, failed = append(all, took...), errors.Join(failed, err)
		})
	}
	wg.Wait()
	if failed != nil {
		return rotation{}, failed
	}
	slices.Sort(all)
	return rotation{rate: float64(len(all)) / float64(o.seconds), p50: all[len(all)/2], p99: all[len(all)*99/100]}, nil
}

func refreshOnce(ctx context.Context, client *http.Client, endpoint, token string) (string, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return token, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	if err != nil {
		return token, err
	}
	defer res.Body.Close()
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	err = json.NewDecoder(res.Body).Decode(&answer)
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK || err != nil {
		return token, fmt.Errorf("refreshing: status %d, %w", res.StatusCode, err)
	}
	return answer.RefreshToken, nil
}
