package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// ErrUnreachable is in the chain of an error that passes by itself: no server
// answers, or the one that does is not ready to (loading, failing over, a
// replica). Any other error is one that an operator must fix.
var ErrUnreachable = errors.New("Redis is out of reach") //nolint:staticcheck // a name begins it

// unfitError is an error of checkInfo, which names the fix.
type unfitError string

func (e unfitError) Error() string { return string(e) }

// errUnsure passes by itself: within a second, or within storage.SilentAfter.
var errUnsure = fmt.Errorf("%w: another node has not said yet whether a refresh was answered", ErrUnreachable)

// passing are the answers of servers that will serve, or be replaced, in a while.
var passing = []string{"LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "READONLY", "BUSY", "NOREPLICAS", "ERR max number of clients"}

// redirects are what is left of a redirection that did not end within the
// attempts: slots are moving, or being taken over.
var redirects = []string{"MOVED", "ASK"}

// explain makes a caller's error of one of go-redis. ctx is the caller's: the
// end of a context of ours means that Redis did not answer in time.
func (o *Options) explain(ctx context.Context, err error) error {
	var (
		answered redis.Error
		unfit    unfitError
		other    *storage.OtherIssuerError
		record   tls.RecordHeaderError // it speaks no TLS
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unfit), errors.As(err, &other):
		return err
	case errors.Is(err, storage.ErrWrongSecret), errors.Is(err, storage.ErrMoved), errors.Is(err, storage.ErrUnfinishedImport), errors.Is(err, storage.ErrNoStore), errors.Is(err, storage.ErrNotEmpty):
		return err
	case errors.Is(err, errNewerRecord), errors.Is(err, errBadRecord), errors.Is(err, errNoPerson), errors.Is(err, errBadAnswer), errors.Is(err, errOtherAnswer), errors.Is(err, errUnsure):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("calling Redis: %w", ctx.Err())
	case errors.As(err, &record):
		return fmt.Errorf("calling Redis: %w", err)
	case !errors.As(err, &answered):
		return fmt.Errorf("calling Redis: %w: %w", ErrUnreachable, err)
	}
	if errors.Is(err, redis.Nil) && o.Mode == Sentinel {
		return fmt.Errorf("calling Redis: the sentinels know no primary named %q: configure `sentinel` with the name in their `sentinel monitor`", o.MasterName)
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "gatehouse: record of a newer version"):
		return errNewerRecord
	case strings.Contains(text, "gatehouse: damaged record"):
		return errBadRecord
	case strings.Contains(text, "gatehouse: missing record of a person"):
		return errNoPerson
	}
	temporary := passing
	if o.Mode == Cluster {
		temporary = slices.Concat(passing, redirects)
	}
	for _, prefix := range temporary {
		if redis.HasErrorPrefix(answered, prefix) {
			return fmt.Errorf("calling Redis: %w: %w", ErrUnreachable, err)
		}
	}
	if fix := fixOf(answered); fix != "" {
		return fmt.Errorf("calling Redis: %s: %w", fix, err)
	}
	return fmt.Errorf("calling Redis: %w", err)
}

// fixOf says what an operator can do about an answer.
func fixOf(err error) string {
	for prefix, fix := range map[string]string{
		"WRONGPASS": "it refuses the username or the password",
		"NOAUTH":    "it demands a password: configure `password`, and `username` for an ACL user",
		"NOPERM":    "its ACL forbids this user a command or our keys: allow it `+@all -@dangerous +info` and the keys `~<key_prefix>*`",
		"ERR The user executing the script can't run": "its ACL forbids this user a command of our scripts: allow it `+@all -@dangerous +info` and the keys `~<key_prefix>*`",
		"OOM":       "its memory is full (maxmemory): nothing can be written until there is room",
		"MISCONF":   "it can't save to its disk and takes no writes",
		"CROSSSLOT": "it is a Redis Cluster: configure `cluster`",
		"MOVED":     "it is a Redis Cluster: configure `cluster`",
		"ERR This instance has cluster support disabled": "it is no Redis Cluster: remove `cluster`",
		"ERR unknown command 'sentinel'":                 "it is no sentinel: with `sentinel`, `address` names the sentinels; without it, the server itself",
		"ERR unknown command `sentinel`":                 "it is no sentinel: with `sentinel`, `address` names the sentinels; without it, the server itself",
		"ERR invalid password":                           "it refuses the username or the password",
		"ERR DB index is out of range":                   "it has no such `database`",
		"ERR SELECT is not allowed in cluster mode":      "a Redis Cluster has no databases: remove `database`",
	} {
		if redis.HasErrorPrefix(err, prefix) || redis.HasErrorPrefix(err, strings.TrimPrefix(prefix, "ERR ")) {
			return fix
		}
	}
	return ""
}
