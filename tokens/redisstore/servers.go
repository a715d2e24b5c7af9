package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// oldest is the oldest version of Redis that does.
var oldest = [2]int{6, 2}

// errWritableReplica is a replica that takes writes, and loses them.
var errWritableReplica = unfitError("the server is a replica that takes writes, which are lost when it is next synchronized: " +
	"set `replica-read-only yes`, and lead the address to the primary")

// checkServers looks at the version and the settings of each server that takes writes.
func checkServers(ctx context.Context, c *connection) error {
	check := func(ctx context.Context, client *redis.Client) error {
		info, err := client.Info(ctx).Result()
		if err != nil {
			return err
		}
		return checkInfo(c.options, readInfo(info))
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

func checkInfo(o *Options, info map[string]string) error {
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
