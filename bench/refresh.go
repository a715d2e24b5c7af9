package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
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
	ceiling, err := startCeiling(o)
	if err != nil {
		return err
	}
	fmt.Println("### Refresh rotations on bbolt, ES256 (each worker rotates its own chain)")
	fmt.Println()
	fmt.Println("| workers | rotations/s | p50 | p99 | ceiling/s | ratio |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, n := range workers {
		var ours, theirs, ratios, p50, p99 []float64
		for range o.rounds {
			a, err := rotate(ctx, o, srv.auth+"oauth/token", chains[:n])
			if err != nil {
				return err
			}
			b, err := rotate(ctx, o, ceiling, make([]string, n))
			if err != nil {
				return err
			}
			ours, theirs, ratios = append(ours, a.rate), append(theirs, b.rate), append(ratios, a.rate/b.rate)
			p50, p99 = append(p50, float64(a.p50)), append(p99, float64(a.p99))
		}
		fmt.Printf("| %d | %.0f | %s | %s | %.0f | %.2f |\n", n, median(ours), time.Duration(median(p50)).Round(10*time.Microsecond),
			time.Duration(median(p99)).Round(10*time.Microsecond), median(theirs), median(ratios))
	}
	fmt.Println()
	return srv.stop()
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

// startCeiling serves the least that a durable rotation costs.
func startCeiling(o options) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	f, err := os.Create(filepath.Join(o.dir, "ceiling.log"))
	if err != nil {
		return "", err
	}
	waiting := make(chan chan error, 1024)
	go syncTogether(f, waiting)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		done := make(chan error, 1)
		waiting <- done
		digest := sha256.Sum256([]byte(r.PostFormValue("refresh_token")))
		signature, signErr := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err := errors.Join(<-done, signErr); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"refresh_token": "rt", "access_token": signature})
	})
	go func() { _ = http.Serve(l, handler) }()
	return "http://" + l.Addr().String(), nil
}

// syncTogether appends a page for everybody who waits and syncs once for all.
func syncTogether(f *os.File, waiting chan chan error) {
	page := make([]byte, 4096)
	for first := range waiting {
		group := []chan error{first}
		for len(waiting) > 0 {
			group = append(group, <-waiting)
		}
		_, err := f.WriteAt(page, 0)
		err = errors.Join(err, f.Sync())
		for _, done := range group {
			done <- err
		}
	}
}
