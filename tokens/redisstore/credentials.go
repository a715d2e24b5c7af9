package redisstore

import (
	"context"
	"fmt"
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
	from     string                 // where it reads

	mu       sync.Mutex
	password string
	number   int // of the password: how often it has changed
}

func newCredentials(o *Options) *credentials {
	return &credentials{username: o.Username, password: o.Password, read: o.ReadPassword, from: o.PasswordFrom}
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

// renew makes sure that there is another password than the one of a number, which
// was refused. The error says why there is none; one that can't be read now is as it was.
func (c *credentials) renew(number int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.number != number {
		return nil
	}
	switch password, err := c.read(); {
	case err != nil:
		return fmt.Errorf("reading it again: %w", err)
	case password == "": // go-redis would come as Redis's default user
		return fmt.Errorf("reading it again: %s is empty", c.from)
	case password == c.password:
		return fmt.Errorf("%s holds the password that was refused: write the one that Redis has now to it", c.from)
	default:
		c.password = password
		c.number++
		return nil
	}
}

// again calls once more with a renewed password. Where there is none, or it is
// refused as well, the error says why.
func (c *credentials) again(number int, refused error, call func() error) error {
	why := c.renew(number)
	if why == nil {
		number = c.current()
		if refused = call(); !refusesCredentials(refused) {
			return refused
		}
		why = c.renew(number)
	}
	if why == nil { // it has changed meanwhile: the next call has it
		return refused
	}
	return fmt.Errorf("%w: %w", why, refused)
}

// refusesCredentials reports whether a server has refused the username or password.
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
		if !refusesCredentials(err) || authenticates(cmd) {
			return err
		}
		return c.again(number, err, func() error {
			cmd.SetErr(nil)
			return next(ctx, cmd)
		})
	}
}

// ProcessPipelineHook implements redis.Hook.
func (c *credentials) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		number := c.current()
		err := next(ctx, cmds)
		if !refusesCredentials(err) || slices.ContainsFunc(cmds, authenticates) {
			return err
		}
		return c.again(number, err, func() error {
			for _, cmd := range cmds {
				cmd.SetErr(nil)
			}
			return next(ctx, cmds)
		})
	}
}

// authenticates reports whether a command is of the beginning of a connection,
// with the password that was known then.
func authenticates(cmd redis.Cmder) bool { return cmd.Name() == "auth" || cmd.Name() == "hello" }
