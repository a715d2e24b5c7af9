package redisstore

import (
	"context"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// credentials are what new connections authenticate with. What has worked is
// used until a server refuses it; only then the password is read again. So a
// password may be changed in Redis first, or where it is kept.
type credentials struct {
	username string
	read     func() (string, error) // nil where the password can't change

	mu       sync.Mutex
	password string
	number   int // of the password: how often it has changed
}

func newCredentials(o *Options) *credentials {
	return &credentials{username: o.Username, password: o.Password, read: o.ReadPassword}
}

// provide is asked by go-redis for each new connection.
func (c *credentials) provide(context.Context) (username, password string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.username, c.password, nil
}

// current returns the number of the password.
func (c *credentials) current() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.number
}

// renewed reports whether there is another password than the one of a number,
// which was refused. One that can't be read now is as it was.
func (c *credentials) renewed(number int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.number != number {
		return true
	}
	password, err := c.read()
	if err != nil || password == "" || password == c.password { // without one, go-redis would come as Redis's default user
		return false
	}
	c.password = password
	c.number++
	return true
}

// refusesCredentials reports whether a server has refused who is asking.
func refusesCredentials(err error) bool {
	return err != nil && slices.ContainsFunc([]string{"WRONGPASS", "NOAUTH", "invalid password"}, func(prefix string) bool {
		return redis.HasErrorPrefix(err, prefix)
	})
}

// DialHook implements redis.Hook.
func (*credentials) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook: a command for which no connection could be
// made, for the sake of a password that has changed, is sent again.
func (c *credentials) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		number := c.current()
		err := next(ctx, cmd)
		if refusesCredentials(err) && !authenticates(cmd) && c.renewed(number) {
			cmd.SetErr(nil)
			err = next(ctx, cmd)
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (c *credentials) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		number := c.current()
		err := next(ctx, cmds)
		if refusesCredentials(err) && !slices.ContainsFunc(cmds, authenticates) && c.renewed(number) {
			for _, cmd := range cmds {
				cmd.SetErr(nil)
			}
			err = next(ctx, cmds)
		}
		return err
	}
}

// authenticates reports whether a command is of the beginning of a connection,
// with the password that was known then.
func authenticates(cmd redis.Cmder) bool { return cmd.Name() == "auth" || cmd.Name() == "hello" }
