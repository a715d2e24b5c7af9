package caddymodule

import (
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
)

// RedisWait makes answers wait until replicas of Redis have what they tell.
// Redis copies to its replicas after it has answered, so a failover can lose
// the last writes. A gateway that stayed up repeats its revocations and spent
// codes by itself; this is for those that want no write to get lost.
type RedisWait struct {
	// How many replicas have to confirm each write. Default: none; it is required.
	Number int `json:"number,omitempty"`

	// How long a write waits for them, beyond the store's `timeout`. Default:
	// none; it is required.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Whether a write that too few have confirmed in time is answered 503. It
	// stands all the same: the client's retry gets the same answer, within the
	// leeway of its refresh tokens, which begins when the replicas are back.
	// While they are known to be behind, logins and refreshes are answered 503
	// at once, and nothing is written. Otherwise a write is answered as usual,
	// and counted by `caddy_oauth_store_unreplicated_total`. Default: false
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
		return wrong("wait_replicas", "%d is out of range: take 1 to %d", w.Number, maxWaitReplicas)
	case timeout < minWaitTimeout || timeout > maxWaitTimeout:
		return wrong("wait_replicas", "%s is out of range: take %s to %s", show(timeout), show(minWaitTimeout), show(maxWaitTimeout))
	}
	return nil
}

func (w *RedisWait) core() redisstore.WaitReplicas {
	if w == nil {
		return redisstore.WaitReplicas{}
	}
	return redisstore.WaitReplicas{Number: w.Number, Timeout: time.Duration(w.Timeout), Strict: w.Strict}
}

// readWait reads `wait_replicas <number> <timeout> [strict]`.
func (r *RedisStore) readWait(g *grammar) error {
	words, err := g.words()
	if err != nil {
		return err
	}
	r.WaitReplicas = new(RedisWait)
	number, bad := strconv.Atoi(words[0])
	switch {
	case bad != nil:
		return g.Errf("%s%s: %q is no number of replicas: write wait_replicas <number> <timeout> [strict]", g.prefix(), g.name, words[0])
	case len(words) == 1:
		return g.Errf("%s%s: it has no timeout: write wait_replicas %d 100ms", g.prefix(), g.name, number)
	case len(words) > 3 || len(words) == 3 && words[2] != "strict":
		return g.Errf("%s%s: unexpected argument %q: write wait_replicas <number> <timeout> [strict]", g.prefix(), g.name, words[len(words)-1])
	}
	timeout, err := g.parseDuration(words[1])
	r.WaitReplicas.Number, r.WaitReplicas.Timeout, r.WaitReplicas.Strict = number, caddy.Duration(timeout), len(words) == 3
	return err
}
