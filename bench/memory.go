package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// benchMemory sends a million different tokens to a guarded route and prints
// what the server has grown by, beside the bound of its cache.
func benchMemory(ctx context.Context, o options) error {
	const many, warm = 1_000_000, 20_000
	s, err := newSetup(o, "memory", "ES256")
	if err != nil {
		return err
	}
	sd, err := openSeed(ctx, s.Store, s.Issuer, s.Algorithm)
	if err != nil {
		return err
	}
	list, err := sd.accessTokens(ctx, many)
	if err != nil {
		return err
	}
	if err := sd.close(); err != nil {
		return err
	}
	srv, err := start(ctx, o, s)
	if err != nil {
		return err
	}
	defer func() { _ = srv.stop() }()
	if err := srv.send("/plain", list[:warm]); err != nil { // what requests alone take
		return err
	}
	before, err := srv.resident("VmRSS")
	if err != nil {
		return err
	}
	if err := srv.send("/guarded", list); err != nil {
		return err
	}
	after, err := srv.resident("VmRSS")
	if err != nil {
		return err
	}
	peak, err := srv.resident("VmHWM")
	if err != nil {
		return err
	}
	fmt.Printf("### Memory of the server after %d different tokens\n\n", many)
	fmt.Println("| before, MiB | after, MiB | highest, MiB | grown, MiB | bound of the cache, MiB |")
	fmt.Println("|---|---|---|---|---|")
	fmt.Printf("| %d | %d | %d | %d | %d |\n\n", before, after, peak, after-before, verify.DefaultCacheBytes>>20)
	return nil
}

// send asks for a path with each of the tokens, over 64 connections.
func (s *server) send(path string, list []string) error {
	const connections = 64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	failures := make(chan error, connections)
	for c := range connections {
		wg.Go(func() {
			for i := c; i < len(list); i += connections {
				if err := s.ask(client, path, list[i]); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	return <-failures
}

func (s *server) ask(client *http.Client, path, token string) error {
	r, err := http.NewRequest(http.MethodGet, s.base+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("asking for %s: status %d", path, res.StatusCode)
	}
	return nil
}

// resident returns a line of the server's memory in MiB.
func (s *server) resident(line string) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for text := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(text, line+":"); ok {
			var kib int
			_, err := fmt.Sscan(rest, &kib)
			return kib >> 10, err
		}
	}
	return 0, fmt.Errorf("reading the server's memory: no %s", line)
}
