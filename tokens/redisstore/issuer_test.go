package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// A10: of gateways of two issuers that start at once on an empty store, one wins.
func TestBirthIsOneIssuers(t *testing.T) {
	server := redistest.Start(t)
	for range 20 {
		keys := prefix()
		var opened [2]atomic.Int64
		var wg sync.WaitGroup
		for n := range 8 {
			s := New(Options{Addresses: []string{server.Addr}, KeyPrefix: keys})
			t.Cleanup(func() { _ = s.Close() })
			wg.Go(func() {
				issuer := fmt.Sprintf("https://%d.example/", n%2)
				_, err := s.Open(context.Background(), storage.OpenRequest{
					Secrets: [][16]byte{{1}}, Issuers: []string{issuer}, TokenLifetime: time.Minute,
				})
				var other *storage.OtherIssuerError
				switch {
				case err == nil:
					opened[n%2].Add(1)
				case !errors.As(err, &other) || other.Issuers[0] == issuer || !strings.Contains(err.Error(), server.Addr):
					t.Errorf("opening for %s: %v", issuer, err)
				}
			})
		}
		wg.Wait()
		if a, b := opened[0].Load(), opened[1].Load(); a+b != 4 || a*b != 0 {
			t.Fatalf("%d gateways of one issuer and %d of the other have opened the store", a, b)
		}
	}
}
