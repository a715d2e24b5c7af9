package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"runtime"
	"time"
)

// Mode is how the servers belong together.
type Mode uint8

// The modes.
const (
	Standalone Mode = iota // one server
	Sentinel               // one that Sentinel appoints; the addresses are the sentinels'
	Cluster                // Redis Cluster; the addresses are some of its nodes
)

// Options configure a Store.
type Options struct {
	// Addresses of the servers, each host:port. One with Standalone, several
	// with Sentinel and Cluster.
	Addresses []string
	Mode      Mode
	// MasterName is the name of the primary, with Sentinel.
	MasterName string
	// Username and Password of an ACL user; no Username is Redis's default user.
	Username, Password string
	// ReadPassword, if not nil, reads the Password again. It is called when a server
	// refuses the one that is known.
	ReadPassword func() (string, error)
	// PasswordFrom names the setting and the place that ReadPassword reads from, for
	// the error when the password there is refused, too.
	PasswordFrom string
	// SentinelUsername and SentinelPassword are for the sentinels themselves.
	SentinelUsername, SentinelPassword string
	// Database is the number of the database; a Cluster has only 0.
	Database int
	// TLS, if not nil, returns how connections are encrypted. It is asked at the
	// first Open and for each new connection, since it may read files, which
	// change. With an error then, connections are made as before.
	TLS func() (*tls.Config, error)
	// KeyPrefix leads every key; "" for DefaultKeyPrefix. A long one costs
	// memory for every user.
	KeyPrefix string
	// PoolSize is the number of connections to each server; 0 for 10 for each CPU.
	PoolSize int
	// Timeout is the longest that one call takes, retries included; 0 for DefaultTimeout.
	Timeout time.Duration
	// AllowEviction opens a store whose Redis may throw keys away when memory
	// is short. Sessions end and revocations are forgotten by it.
	AllowEviction bool
	// WaitReplicas makes answers wait for replicas.
	WaitReplicas WaitReplicas
	// OnUnreplicated, if not nil, hears of each write that too few replicas
	// have confirmed in time.
	OnUnreplicated func()
	// OnCall, if not nil, hears of every call when it ends: its name, which is
	// of a closed set, how long it took and the store's fault, if any.
	OnCall func(ctx context.Context, op string, d time.Duration, err error)
	// Logf, if not nil, gets what go-redis has to say. Its logger belongs to
	// the whole process: the newest store's Logf gets it all.
	Logf func(format string, args ...any)

	fitEvery time.Duration // see known.go; tests set a shorter one
}

// The defaults of Options.
const (
	DefaultKeyPrefix = "gh:"
	DefaultTimeout   = time.Second
)

// WaitReplicas says that an answer waits until replicas have what it tells.
type WaitReplicas struct {
	Number  int           // of replicas; 0 waits for none
	Timeout time.Duration // how long; 0 for DefaultWaitTimeout
	Strict  bool          // whether too few of them are an error
}

// DefaultWaitTimeout is how long an answer waits for replicas unless configured.
const DefaultWaitTimeout = 100 * time.Millisecond

func (o Options) withDefaults() Options {
	if o.KeyPrefix == "" {
		o.KeyPrefix = DefaultKeyPrefix
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.fitEvery == 0 {
		o.fitEvery = fitEvery
	}
	if o.WaitReplicas.Timeout == 0 {
		o.WaitReplicas.Timeout = DefaultWaitTimeout
	}
	if o.OnUnreplicated == nil {
		o.OnUnreplicated = func() {}
	}
	if o.OnCall == nil {
		o.OnCall = func(context.Context, string, time.Duration, error) {}
	}
	return o
}

// Of one call's time, an attempt may take a half, so that a broken connection
// leaves time for another. go-redis's own times are those of a batch job:
// seconds, five dials a second apart, and contexts that do not count.
func (o *Options) attemptTimeout() time.Duration { return o.Timeout / 2 }

// handshakeTimeout is shorter than go-redis's own, which begin earlier (by a
// sentinel, twice) and would be up before a handshake can say why it has failed.
func (o *Options) handshakeTimeout() time.Duration { return o.attemptTimeout() * 4 / 5 }

// waitFor is how long a call may take longer than Timeout.
func (o *Options) waitFor() time.Duration {
	if o.WaitReplicas.Number == 0 {
		return 0
	}
	return o.WaitReplicas.Timeout
}

// mayWait is how many calls wait for replicas of a server at once. They leave a
// quarter of the connections to calls that only ask; and while some wait in vain, later
// calls do not queue behind them.
func (o *Options) mayWait() int { return o.poolSize() - o.poolSize()/4 }

// longestCall is how long a call takes at most.
func (o *Options) longestCall() time.Duration { return o.Timeout + o.waitFor() }

func (o *Options) poolSize() int {
	return cmp.Or(o.PoolSize, 10*runtime.GOMAXPROCS(0))
}

// differs reports whether a connection by other settings is another one. Files
// of TLS may have changed though their names did not.
func (o *Options) differs(from *Options) bool {
	if o.TLS != nil || from.TLS != nil {
		return true
	}
	return o.Username != from.Username || o.Password != from.Password || o.PasswordFrom != from.PasswordFrom ||
		o.SentinelUsername != from.SentinelUsername || o.SentinelPassword != from.SentinelPassword ||
		o.PoolSize != from.PoolSize || o.Timeout != from.Timeout ||
		o.AllowEviction != from.AllowEviction || o.WaitReplicas != from.WaitReplicas
}

// encryption returns how connections are encrypted, nil for not at all.
func (o *Options) encryption() (*tls.Config, error) {
	if o.TLS == nil {
		return nil, nil
	}
	return o.TLS()
}

// recovered reports a panic that was caught in the background.
func (o *Options) recovered(err error) { o.OnCall(context.Background(), "watch", 0, err) }
