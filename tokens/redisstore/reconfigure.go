package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

var errOtherMode = errors.New("changing the store: `cluster` can't be turned on or off while the store is in use: restart Caddy")

// Reconfigure applies settings to a store that may be in use: how the same data
// are reached. The new connection takes over once it works; the old one is
// closed when its calls have ended. With an error all is as it was. Where
// neither answers, as the servers are out of reach, the new settings stand.
// The addresses' servers, database and key prefix, and the callbacks, stay
// those of New.
func (s *Store) Reconfigure(ctx context.Context, o Options) error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	o = o.withDefaults()
	switch {
	case s.closed:
		return errClosed
	case o.Mode != s.options.Mode:
		return errOtherMode
	case !s.wanted.differs(&o):
		return nil
	}
	if s.conn == nil {
		s.wanted = &o
		return nil
	}
	encryption, err := o.encryption()
	if err != nil {
		return changed(&o, err)
	}
	next := s.connect(&o, encryption)
	err = s.within(ctx, next, s.tryServers)
	if errors.Is(err, ErrUnreachable) && errors.Is(s.within(ctx, s.conn, s.tryServers), ErrUnreachable) {
		err = nil
	}
	if err != nil {
		return errors.Join(changed(&o, err), next.close())
	}
	s.mu.Lock() // waits for the calls under way
	old := s.conn
	s.conn, s.wanted = next, &o
	s.mu.Unlock()
	if err := old.close(); err != nil {
		return fmt.Errorf("closing the previous connection: %w", err)
	}
	return nil
}

// changed names the servers in an error. That they are out of reach by the new
// settings alone does not pass by itself.
func changed(o *Options, err error) error {
	if errors.Is(err, ErrUnreachable) {
		err = errors.New(err.Error())
	}
	return fmt.Errorf("changing the settings of the store at %s: %w", strings.Join(o.Addresses, ", "), err)
}

// tryServers looks at the servers, and whether they hold the store that is open.
func (s *Store) tryServers(ctx context.Context, c *connection) error {
	if err := checkServers(ctx, c); err != nil {
		return err
	}
	a, err := s.eval(ctx, c, s.scripts().born, []string{s.common("store")})
	if err != nil {
		return err
	}
	_, born := a.millis(), a.millis()
	if o := s.opening.Load(); o != nil && a.err == nil && !born.Equal(o.result.Born) && !born.IsZero() {
		return unfitError("other data than those of the store that is open: restart Caddy to change to them")
	}
	return a.err
}
