package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// revocations is how many the lag is measured by.
const revocations = 300

// benchLag revokes at one node and asks another, which holds a verdict "not
// denied", until that refuses. The time runs from the answer to the revocation.
func benchLag(ctx context.Context, o options) error {
	r, s, sd, err := onRedis(ctx, o, "redis-lag")
	if err != nil {
		return err
	}
	var refresh, access []string
	for range revocations {
		res, err := sd.login(ctx, fmt.Sprintf("bench|%d", sd.people.Add(1)), "offline_access read")
		if err != nil {
			return err
		}
		refresh, access = append(refresh, res.RefreshToken), append(access, res.AccessToken)
	}
	if err := sd.close(); err != nil {
		return err
	}
	a, err := start(ctx, o, s)
	if err != nil {
		return err
	}
	second, err := newSetup(o, "redis-lag-b", s.Algorithm)
	if err != nil {
		return err
	}
	second.Redis, second.Issuer = s.Redis, s.Issuer
	b, err := start(ctx, o, second)
	if err != nil {
		return err
	}
	var lags []time.Duration
	for i := range refresh {
		lag, err := lagOf(ctx, a, b, refresh[i], access[i])
		if err != nil {
			return err
		}
		lags = append(lags, lag)
	}
	slices.Sort(lags)
	fmt.Printf("### From the answer to a revocation until another node refuses, %d of them\n\n", revocations)
	fmt.Println("| p50 | p99 | longest |")
	fmt.Println("|---|---|---|")
	fmt.Printf("| %s | %s | %s |\n\n", lags[len(lags)/2].Round(10*time.Microsecond), lags[len(lags)*99/100].Round(10*time.Microsecond), lags[len(lags)-1].Round(10*time.Microsecond))
	return errors.Join(a.stop(), b.stop(), r.stop())
}

func lagOf(ctx context.Context, a, b *server, refresh, access string) (time.Duration, error) {
	if status, err := b.guarded(ctx, access); err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("asking before the revocation: status %d, %w", status, err)
	}
	form := url.Values{"client_id": {"spa"}, "token": {refresh}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.auth+"oauth/revoke", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("revoking: status %d, %w", res.StatusCode, err)
	}
	for begun := time.Now(); ; {
		status, err := b.guarded(ctx, access)
		if err != nil {
			return 0, err
		}
		if status == http.StatusUnauthorized {
			return time.Since(begun), nil
		}
		if time.Since(begun) > time.Minute {
			return 0, errors.New("waiting for the other node to refuse: it does not")
		}
	}
}

// guarded asks the guarded route once.
func (s *server) guarded(ctx context.Context, token string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/guarded", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
