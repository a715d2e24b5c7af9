package caddymodule

import (
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
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
	g := grammar.NewReader(d, redisBlock)
	if err := g.NeedBlock(); err != nil {
		return err
	}
	if err := g.ReadBlock(redisBlock, r.grammar()); err != nil {
		return err
	}
	return g.Located(grammar.Within(redisBlock, r.Check()))
}

func (r *RedisStore) grammar() grammar.Options {
	return grammar.Options{
		"address":           grammar.List(&r.Addresses),
		"cluster":           grammar.Flag(&r.Cluster),
		"sentinel":          grammar.String(&r.Sentinel),
		"username":          grammar.String(&r.Username),
		"password":          grammar.String(&r.Password),
		"sentinel_username": grammar.String(&r.SentinelUsername),
		"sentinel_password": grammar.String(&r.SentinelPassword),
		"database": grammar.Args("<number>", func(args []string) (err error) {
			if r.Database, err = strconv.Atoi(args[0]); err != nil {
				return fmt.Errorf("%q is not the number of a database: write 0 or more", args[0])
			}
			return nil
		}),
		"tls":            {Read: r.readTLS},
		"key_prefix":     grammar.String(&r.KeyPrefix),
		"pool_size":      grammar.Count(&r.PoolSize),
		"timeout":        grammar.Duration(&r.Timeout),
		"wait_replicas":  grammar.Args("<number> <timeout> [strict]", r.setWait),
		"allow_eviction": grammar.Flag(&r.AllowEviction),
	}
}

func (r *RedisStore) readTLS(g *grammar.Reader) error {
	r.TLS = new(RedisTLS)
	if err := g.End(); err != nil {
		return err
	}
	return g.ReadBlock("tls", grammar.Options{
		"ca":          grammar.String(&r.TLS.CA),
		"certificate": grammar.String(&r.TLS.Certificate),
		"key":         grammar.String(&r.TLS.Key),
		"server_name": grammar.String(&r.TLS.ServerName),
	})
}

// Interface guard
var _ caddyfile.Unmarshaler = (*RedisStore)(nil)
