package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// tlsDialer makes connections by TLS. go-redis tells of a handshake that nobody
// answers only that its time was up: so what became of the last one is
// remembered, to be named in errors.
type tlsDialer struct {
	read    func() (*tls.Config, error)
	known   atomic.Pointer[tls.Config] // what was last read
	timeout time.Duration
	failed  atomic.Pointer[handshakeError] // the last handshake; nil when it succeeded
}

// keepAlive is go-redis's.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Minute, Interval: 15 * time.Second, Count: 9}

func newTLSDialer(o *Options, config *tls.Config) *tlsDialer {
	d := &tlsDialer{read: o.TLS, timeout: o.handshakeTimeout()}
	d.known.Store(config)
	return d
}

// config returns how the next connection is encrypted.
func (d *tlsDialer) config() *tls.Config {
	if now, err := d.read(); err == nil {
		d.known.Store(now)
		return now
	}
	return d.known.Load()
}

func (d *tlsDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	plain := net.Dialer{KeepAliveConfig: keepAlive}
	conn, err := plain.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := d.config()
	if config.ServerName == "" {
		host, _, _ := net.SplitHostPort(address) // it was dialled
		config = config.Clone()
		config.ServerName = host
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		failed := &handshakeError{address, err}
		d.failed.Store(failed)
		return nil, failed
	}
	d.failed.Store(nil)
	return secured, nil
}

// handshakeError is a handshake that failed.
type handshakeError struct {
	address string
	cause   error
}

func (e *handshakeError) Error() string {
	fix := ""
	late := errors.Is(e.cause, context.DeadlineExceeded)
	if record := (tls.RecordHeaderError{}); late || errors.As(e.cause, &record) {
		fix = ": name the port where Redis speaks TLS, or remove `tls` if it speaks none"
	}
	if late {
		fix += "; if it is only far away, raise `timeout`"
	}
	return fmt.Sprintf("the TLS handshake with %s has failed (%v)%s", e.address, e.cause, fix)
}

func (e *handshakeError) Unwrap() error { return e.cause }
