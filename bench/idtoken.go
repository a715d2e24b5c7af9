package main

import (
	"context"
	"errors"
	"fmt"
)

// benchIDTokens measures what an ID token adds to a refresh, by the algorithm
// that the client has for it. Access tokens are ES256.
func benchIDTokens(ctx context.Context, o options) error {
	const workers = 16
	s, err := newSetup(o, "idtoken", "ES256")
	if err != nil {
		return err
	}
	sd, err := openSeed(ctx, s.Store, s.Issuer, s.Algorithm)
	if err != nil {
		return err
	}
	plain, err := sd.refreshTokens(ctx, workers, "offline_access read")
	if err != nil {
		return err
	}
	openid, err := sd.refreshTokens(ctx, workers, "openid offline_access read")
	if err := errors.Join(err, sd.close()); err != nil {
		return err
	}
	fmt.Printf("### Refreshes with an ID token, on bbolt, %d workers\n\n", workers)
	fmt.Println("| ID token | rotations/s | p50 | p99 |")
	fmt.Println("|---|---|---|---|")
	for _, row := range []struct {
		name, alg string
		chains    []string
	}{{"none", "", plain}, {"ES256", "ES256", openid}, {"EdDSA", "EdDSA", openid}, {"RS256", "RS256", openid}} {
		s.IDTokenAlgorithm = row.alg
		srv, err := start(ctx, o, s)
		if err != nil {
			return err
		}
		var rate, p50, p99 []float64
		for range o.rounds {
			r, err := rotate(ctx, o, srv.auth+"oauth/token", row.chains)
			if err != nil {
				return errors.Join(err, srv.stop())
			}
			rate, p50, p99 = append(rate, r.rate), append(p50, float64(r.p50)), append(p99, float64(r.p99))
		}
		fmt.Printf("| %s | %.0f | %s | %s |\n", row.name, median(rate), rounded(p50), rounded(p99))
		if err := srv.stop(); err != nil {
			return err
		}
	}
	fmt.Println()
	return nil
}
