package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// oldest is the oldest version of Redis that does.
var oldest = [2]int{6, 2}

var errNoAddress = errors.New("no address of a Redis server is configured")

// Open implements tokens.Store. An error with ErrUnreachable passes by itself,
// and the next Open may succeed; any other names the fix.
func (s *Store) Open(ctx context.Context, r tokens.OpenRequest) (tokens.OpenResult, error) {
	start := time.Now()
	result, err := s.open(ctx, r)
	s.options.OnCall("open", time.Since(start), err)
	return result, err
}

func (s *Store) open(ctx context.Context, r tokens.OpenRequest) (tokens.OpenResult, error) {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	c, err := s.connected(ctx)
	if err != nil {
		return tokens.OpenResult{}, s.opened(err)
	}
	r.Secrets, r.Issuers = slices.Clone(r.Secrets), slices.Clone(r.Issuers)
	result, err := s.mark(ctx, c, r)
	if err != nil {
		return tokens.OpenResult{}, s.opened(err)
	}
	s.opening.Store(&opening{request: r, result: result})
	return result, nil
}

// connected makes the connection, if there is none, and looks at the servers,
// if that was not done. The caller holds s.lifecycle.
func (s *Store) connected(ctx context.Context) (*connection, error) {
	switch {
	case s.closed:
		return nil, errClosed
	case len(s.options.Addresses) == 0:
		return nil, errNoAddress
	}
	if s.conn == nil {
		encryption, err := s.wanted.encryption()
		if err != nil {
			return nil, err
		}
		c := s.connect(s.wanted, encryption)
		s.mu.Lock()
		s.conn = c
		s.mu.Unlock()
	}
	if s.opening.Load() != nil {
		return s.conn, nil
	}
	return s.conn, s.within(ctx, s.conn, s.checkServers)
}

// opened names the servers in an error. Nil stays nil.
func (s *Store) opened(err error) error {
	if err == nil || errors.Is(err, tokens.ErrWrongSecret) {
		return err
	}
	return fmt.Errorf("opening the store at %s: %w", strings.Join(s.options.Addresses, ", "), err)
}

// mark compares the secrets and the issuers, and writes what the store is opened with.
func (s *Store) mark(ctx context.Context, c *connection, r tokens.OpenRequest) (result tokens.OpenResult, err error) {
	err = s.within(ctx, c, func(ctx context.Context, c *connection) error {
		a, err := s.eval(ctx, c, s.scripts().open, []string{s.common("store")}, millis(r.TokenLifetime), slices.Concat(slicesOf(r.Secrets)...), flag(r.Transfer), issuerLines(r.Issuers))
		if err != nil {
			return err
		}
		born := a.int()
		if born == otherIssuer {
			_, _ = a.int(), a.bytes()
			return cmp.Or(a.err, error(&tokens.OtherIssuerError{Issuers: linesOf(a.text())}))
		}
		if refused, ok := notOpened[born]; ok {
			return refused
		}
		result.Born = time.UnixMilli(born)
		result.TokenLifetime = time.Duration(a.int()) * time.Millisecond
		known := a.bytes()
		if len(known)%16 != 0 {
			return errBadRecord
		}
		for id := range slices.Chunk(known, 16) {
			result.Secrets = append(result.Secrets, [16]byte(id))
		}
		result.Issuers = linesOf(a.text())
		return a.err
	})
	if err != nil {
		return tokens.OpenResult{}, err
	}
	return result, nil
}

// notOpened is why lua/open.lua opens no store.
var notOpened = map[int64]error{
	0: tokens.ErrWrongSecret, -1: tokens.ErrMoved, -2: tokens.ErrUnfinishedImport, -3: tokens.ErrNoStore,
}

// otherIssuer is why lua/open.lua opens no store of another issuer.
const otherIssuer = -4

// issuerLines puts issuers into one text; linesOf takes them out.
func issuerLines(issuers []string) string { return strings.Join(issuers, "\n") }

func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func slicesOf(all [][16]byte) [][]byte {
	parts := make([][]byte, len(all))
	for i := range all {
		parts[i] = all[i][:]
	}
	return parts
}

// checkServers looks at the version and the settings of each server that takes writes.
func (s *Store) checkServers(ctx context.Context, c *connection) error {
	check := func(ctx context.Context, client *redis.Client) error {
		info, err := client.Info(ctx).Result()
		if err != nil {
			return err
		}
		return s.checkInfo(c.options, readInfo(info))
	}
	if cluster, ok := c.client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, check)
	}
	return check(ctx, c.client.(*redis.Client))
}

// readInfo reads the answer to INFO.
func readInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			info[name] = value
		}
	}
	return info
}

// unfitError is an error of checkInfo, which names the fix.
type unfitError string

func (e unfitError) Error() string { return string(e) }

func (s *Store) checkInfo(o *Options, info map[string]string) error {
	if v := info["redis_version"]; !newEnough(v) {
		return unfitError(fmt.Sprintf("Redis %s is too old: Gatehouse needs %d.%d or newer", v, oldest[0], oldest[1]))
	}
	if info["redis_mode"] == "sentinel" {
		return unfitError("it is a sentinel: configure `sentinel <master-name>`, or the address of the server itself")
	}
	if clustered := info["cluster_enabled"] == "1"; clustered && o.Mode != Cluster {
		return unfitError("it is a Redis Cluster: configure `cluster`")
	}
	policy := info["maxmemory_policy"]
	if policy == "" && !o.AllowEviction {
		return unfitError("Redis does not say its maxmemory-policy (INFO), and may throw sessions and revocations away when memory is short: " +
			"make sure that it never does, and set `allow_eviction`")
	}
	if policy != "noeviction" && !o.AllowEviction {
		return unfitError(fmt.Sprintf("Redis's maxmemory-policy is %s, so it may throw sessions and revocations away when memory is short: "+
			"set `maxmemory-policy noeviction`, or `allow_eviction` if you accept that", policy))
	}
	if info["role"] == "slave" && info["slave_read_only"] == "0" {
		return errWritableReplica
	}
	if info["role"] == "slave" {
		return fmt.Errorf("%w: the server is a replica and takes no writes", ErrUnreachable)
	}
	return nil
}

func newEnough(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if err != nil || err2 != nil {
		return false
	}
	return slices.Compare([]int{a, b}, oldest[:]) >= 0
}
