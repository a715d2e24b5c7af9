package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// families is how many are in Redis when its memory is measured.
const families = 100_000

// benchRedisMemory prints what Redis holds for each live refresh token, with
// the profile that the core keeps of a person; their sessions are over.
func benchRedisMemory(ctx context.Context, o options) error {
	fmt.Printf("### Redis memory at %d families\n\n", families)
	fmt.Println("| families per person | bytes per family |")
	fmt.Println("|---|---|")
	for _, perPerson := range []int{1, 3, 10} {
		bytes, err := bytesPerFamily(ctx, o, perPerson)
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %.0f |\n", perPerson, bytes)
	}
	fmt.Println()
	return nil
}

func bytesPerFamily(ctx context.Context, o options, perPerson int) (float64, error) {
	r, err := startRedis(ctx, o)
	if err != nil {
		return 0, err
	}
	store := redisstore.New(redisstore.Options{Addresses: []string{r.addr}, Timeout: 5 * time.Second})
	if _, err := store.Open(ctx, storage.OpenRequest{Secrets: [][16]byte{{1}}, TokenLifetime: time.Hour}); err != nil {
		return 0, err
	}
	client := redis.NewClient(&redis.Options{Addr: r.addr, Protocol: 2, DisableIdentity: true})
	if err := fill(ctx, store, client, "local|the first", perPerson); err != nil { // the scripts are counted once
		return 0, err
	}
	before, err := allocated(ctx, client)
	if err != nil {
		return 0, err
	}
	const workers = 32
	people := families / perPerson
	failures := make(chan error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < people; i += workers {
				if err := fill(ctx, store, client, fmt.Sprintf("local|user%06d", i), perPerson); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	if err := <-failures; err != nil {
		return 0, err
	}
	after, err := allocated(ctx, client)
	if err := errors.Join(err, client.Close(), store.Close(), r.stop()); err != nil {
		return 0, err
	}
	return float64(after-before) / float64(people*perPerson), nil
}

// fill gives a person some families, of which the last session is over.
func fill(ctx context.Context, store *redisstore.Store, client *redis.Client, subject string, n int) error {
	user := storage.TagSubject(subject)
	session, err := store.CreateSession(ctx, storage.SessionRequest{
		User: user, ID: storage.SessionID{1}, Lifetime: time.Hour, Profile: storage.Profile{Subject: subject, Fingerprint: storage.Fingerprint{1}},
	})
	if err != nil {
		return err
	}
	for i := range n {
		res, err := store.CreateFamily(ctx, storage.CreateRequest{
			User: user, ID: storage.FamilyID{byte(i), 1}, Begun: session.Begun, Session: session.ID, Client: storage.ClientTag{1}, Grant: storage.GrantID{1},
			Lifetime: 30 * 24 * time.Hour, IdleLifetime: 15 * 24 * time.Hour, MaxActive: 200, Attempt: storage.Attempt{byte(i), 1},
		})
		if err != nil || !res.Created {
			return fmt.Errorf("beginning a family: created %v, %w", res.Created, err)
		}
	}
	return client.HDel(ctx, redisstore.DefaultKeyPrefix+"{"+user.String()+"}u", string(session.ID[:])).Err()
}

// allocated is what the data in Redis take, without the buffers of connections.
func allocated(ctx context.Context, client *redis.Client) (int64, error) {
	stats, err := client.Do(ctx, "MEMORY", "STATS").Slice()
	if err != nil {
		return 0, err
	}
	values := map[string]int64{}
	for i := 0; i+1 < len(stats); i += 2 {
		if n, ok := stats[i+1].(int64); ok {
			values[fmt.Sprint(stats[i])] = n
		}
	}
	return values["total.allocated"] - values["clients.normal"], nil
}
