package caddymodule

import (
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up the store from Caddyfile tokens and checks it. Syntax:
//
//	store redis {
//	    address    <host>:<port> ...
//	    cluster
//	    sentinel   <master-name>
//	    username   <name>
//	    password   <password>
//	    sentinel_username <name>
//	    sentinel_password <password>
//	    database   <number>
//	    tls {
//	        ca          <file>
//	        certificate <file>
//	        key         <file>
//	        server_name <name>
//	    }
//	    key_prefix <text>
//	    pool_size  <number>
//	    timeout    <duration>
//	    wait_replicas <number> <timeout> [strict]
//	    allow_eviction
//	}
//
// `tls` needs no block.
func (r *RedisStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := newGrammar(d, redisBlock)
	if err := g.needBlock(); err != nil {
		return err
	}
	if err := g.block(redisBlock, r.grammar()); err != nil {
		return err
	}
	return g.located(within(redisBlock, r.Check()))
}

func (r *RedisStore) grammar() options {
	return options{
		"address":           listOption(&r.Addresses),
		"cluster":           flagOption(&r.Cluster),
		"sentinel":          stringOption(&r.Sentinel),
		"username":          stringOption(&r.Username),
		"password":          stringOption(&r.Password),
		"sentinel_username": stringOption(&r.SentinelUsername),
		"sentinel_password": stringOption(&r.SentinelPassword),
		"database": argsOption("<number>", func(args []string) (err error) {
			if r.Database, err = strconv.Atoi(args[0]); err != nil {
				return fmt.Errorf("%q is not the number of a database: write 0 or more", args[0])
			}
			return nil
		}),
		"tls":            {read: r.readTLS},
		"key_prefix":     stringOption(&r.KeyPrefix),
		"pool_size":      countOption(&r.PoolSize),
		"timeout":        durationOption(&r.Timeout),
		"wait_replicas":  argsOption("<number> <timeout> [strict]", r.setWait),
		"allow_eviction": flagOption(&r.AllowEviction),
	}
}

func (r *RedisStore) readTLS(g *grammar) error {
	r.TLS = new(RedisTLS)
	if err := g.end(); err != nil {
		return err
	}
	return g.block("tls", options{
		"ca":          stringOption(&r.TLS.CA),
		"certificate": stringOption(&r.TLS.Certificate),
		"key":         stringOption(&r.TLS.Key),
		"server_name": stringOption(&r.TLS.ServerName),
	})
}

// Interface guard
var _ caddyfile.Unmarshaler = (*RedisStore)(nil)
