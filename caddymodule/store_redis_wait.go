package caddymodule

import (
	"fmt"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
)

// RedisWait makes responses wait until replicas of Redis have the data that they are based on.
// Redis copies data to its replicas after it responds, so a failover can lose the last writes.
// A gateway that keeps running repeats its revocations and spent codes by itself; this option
// is for cases in which no write may be lost.
type RedisWait struct {
	// How many replicas must confirm each write. Default: none; it is required.
	Number int `json:"number,omitempty"`

	// How long a write waits for them, in addition to the store's `timeout`. Default: none; it
	// is required.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Whether to answer 503 if too few replicas confirm a write in time. The write still takes
	// effect: when the client retries, it gets the same response, within the leeway of its
	// refresh tokens, which begins when the replicas are back. While the replicas are known to
	// be behind, sign-ins and refreshes get a 503 immediately, and nothing is written. If this
	// is false, the write is answered as usual, and counted in
	// `caddy_oauth_store_unreplicated_total`. Default: false
	Strict bool `json:"strict,omitempty"`
}

// The limits of RedisWait.
const (
	maxWaitReplicas = 16
	minWaitTimeout  = time.Millisecond
	maxWaitTimeout  = 10 * time.Second
)

// Check finds what the text shows to be wrong.
func (w *RedisWait) Check() error {
	if w == nil {
		return nil
	}
	switch timeout := time.Duration(w.Timeout); {
	case w.Number < 1 || w.Number > maxWaitReplicas:
		return grammar.Wrong("wait_replicas", "%d is out of range: take 1 to %d", w.Number, maxWaitReplicas)
	case timeout < minWaitTimeout || timeout > maxWaitTimeout:
		return grammar.Wrong("wait_replicas", "%s is out of range: take %s to %s", grammar.ShowDuration(timeout), grammar.ShowDuration(minWaitTimeout), grammar.ShowDuration(maxWaitTimeout))
	}
	return nil
}

func (w *RedisWait) core() redisstore.WaitReplicas {
	if w == nil {
		return redisstore.WaitReplicas{}
	}
	return redisstore.WaitReplicas{Number: w.Number, Timeout: time.Duration(w.Timeout), Strict: w.Strict}
}

// setWait takes the arguments of `wait_replicas`.
func (r *RedisStore) setWait(args []string) error {
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("%q is not a number of replicas", args[0])
	}
	timeout, err := caddy.ParseDuration(args[1])
	if err != nil {
		return fmt.Errorf("%q is not a duration: write it as 100ms or 1s", args[1])
	}
	if len(args) == 3 && args[2] != "strict" {
		return fmt.Errorf("%q is not known: write `strict`, or leave it out", args[2])
	}
	r.WaitReplicas = &RedisWait{Number: number, Timeout: caddy.Duration(timeout), Strict: len(args) == 3}
	return nil
}
