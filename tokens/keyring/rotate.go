package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
)

const (
	// keyMargin is kept beyond KeepFor: a node hears of an immediate rotation
	// only at its next tick, and signs with the old key until then.
	keyMargin = 5 * time.Minute
	// maxTick is how long a node takes at most to see what others wrote.
	maxTick = time.Minute
	minTick = time.Second
	// swapTries bounds the races that one call may lose.
	swapTries = 8
)

// Load reads the keys from the store and creates those that are missing.
// ErrWrongSecret when none of the secrets opens them.
//
// It does not seal again what was sealed under an older secret: a configuration
// that is only trying to start may yet be taken back.
func (r *Ring) Load(ctx context.Context) error { return r.update(ctx, due, false) }

// Tick does what is due: it adopts what other nodes wrote, publishes the next
// keys ahead of their use, drops those whose last token is dead, and seals
// again under the minting secret what was sealed under an older one.
func (r *Ring) Tick(ctx context.Context) error { return r.update(ctx, due, true) }

// Rotate makes new keys for all algorithms now. They are used after
// PublishBefore, or at once when immediate, which relying parties with a
// cached JWKS will notice. Nodes that rotate at the same time end with one new key.
func (r *Ring) Rotate(ctx context.Context, immediate bool) error {
	var before map[jose.Algorithm]string // the newest keys when the call began
	return r.update(ctx, func(set *Settings, keys []ringKey, now time.Time) ([]ringKey, error) {
		if before == nil {
			before = newestIDs(keys)
		}
		keys, err := due(set, keys, now)
		if err != nil {
			return nil, err
		}
		useFrom := now
		if !immediate {
			useFrom = now.Add(set.PublishBefore)
		}
		for _, alg := range set.Algorithms {
			k := &keys[newest(keys, alg)]
			switch {
			case k.useFrom.After(useFrom):
				k.useFrom = inMillis(useFrom) // was made before, and comes into use now
				delete(before, alg)
			case k.useFrom.After(now) || before[alg] != k.private.ID(): // by this call or another node
			default:
				if keys, err = add(set, keys, alg, now, useFrom); err != nil {
					return nil, err
				}
			}
		}
		return keys, nil
	}, true)
}

// ErrNoKey is returned by Drop for a key that is not there.
var ErrNoKey = errors.New("there is no signing key with this ID")

// Drop forgets a key at once: tokens that it has signed are refused, here from
// now on. One that signs now is replaced by the next, or a new one, which
// relying parties with a cached JWKS will notice.
func (r *Ring) Drop(ctx context.Context, kid string) error {
	dropped := false // by this call, perhaps in a try whose answer was lost
	return r.update(ctx, func(set *Settings, keys []ringKey, now time.Time) ([]ringKey, error) {
		i := slices.IndexFunc(keys, func(k ringKey) bool { return k.private.ID() == kid })
		switch {
		case i < 0 && !dropped:
			return nil, ErrNoKey
		case i < 0:
			return due(set, keys, now)
		}
		dropped = true
		alg := keys[i].private.Algorithm()
		signs := (&keySnapshot{keys: keys}).signer(alg, now) == keys[i].private
		keys = slices.Delete(keys, i, i+1)
		if signs && slices.Contains(set.Algorithms, alg) {
			var err error
			if keys, err = replaceNow(set, keys, alg, now); err != nil {
				return nil, err
			}
		}
		return due(set, keys, now)
	}, true)
}

// replaceNow makes another key of an algorithm sign from now on: the one that
// is published already, or a new one, and none that had been replaced.
func replaceNow(set *Settings, keys []ringKey, alg jose.Algorithm, now time.Time) ([]ringKey, error) {
	for i := range keys { // in the order of their use
		if keys[i].private.Algorithm() == alg && keys[i].useFrom.After(now) {
			keys[i].useFrom = inMillis(now)
			return keys, nil
		}
	}
	keys, err := add(set, keys, alg, now, now)
	slices.SortStableFunc(keys, compareKeys)
	return keys, err
}

// keyChange returns what is to become of the keys. It may run several times.
type keyChange func(set *Settings, keys []ringKey, now time.Time) ([]ringKey, error)

// update reads the keys, applies change, and writes until nothing is left to
// change. Every write is read back, and a lost race starts over with what the
// winner wrote, so change must be idempotent.
func (r *Ring) update(ctx context.Context, change keyChange, reseal bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	set := r.settings.Load()
	if set.Secrets == nil {
		return errors.New("loading signing keys: no secret is configured")
	}
	for range swapTries {
		sealed, version, err := r.store.Keys(ctx)
		if err != nil {
			return fmt.Errorf("loading signing keys: %w", err)
		}
		now, err := r.store.Now(ctx)
		if err != nil {
			return fmt.Errorf("loading signing keys: %w", err)
		}
		r.ahead.Store(int64(now.Sub(r.clock())))
		opened, err := openKeys(set.Secrets, sealed, r.current.Load())
		if err != nil {
			return err
		}
		have, lasting, secret := opened.keys, opened.lasting, opened.secret
		begun := len(lasting) > 0
		if !begun {
			lasting = make([]byte, secrets.SecretSize)
			_, _ = rand.Read(lasting) // never fails
		}
		want, err := change(set, slices.Clone(have), now)
		if err != nil {
			return err
		}
		if begun && (secret == 0 || !reseal) && slices.Equal(have, want) {
			return r.adopt(have, lasting)
		}
		if sealed, err = sealKeys(set.Secrets, want, lasting); err != nil {
			return err
		}
		swapped, err := r.store.SwapKeys(ctx, version, sealed)
		if err != nil {
			return fmt.Errorf("saving signing keys: %w", err)
		}
		if swapped {
			r.report(ctx, have, want, secret)
		}
	}
	return errors.New("saving signing keys: other nodes keep changing them")
}

// adopt makes the keys of the store those of the ring.
func (r *Ring) adopt(keys []ringKey, lasting []byte) error {
	last := r.current.Load()
	if last.jwks != nil && slices.Equal(last.keys, keys) && bytes.Equal(last.lasting, lasting) {
		return nil
	}
	next, err := last.next(keys)
	next.lasting = lasting
	if err != nil {
		return err
	}
	r.current.Store(next)
	return nil
}

func (r *Ring) report(ctx context.Context, have, want []ringKey, secret int) {
	if secret > 0 {
		r.observer.Happened(ctx, oauth.Event{Kind: oauth.EventSecretFallback, Outcome: oauth.OutcomeSigningKeys})
	}
	for _, k := range want {
		if !slices.ContainsFunc(have, func(h ringKey) bool { return h.private == k.private }) {
			r.observer.Happened(ctx, oauth.Event{Kind: oauth.EventKeyRotated, Outcome: oauth.Outcome(k.private.Algorithm())})
		}
	}
}

// due drops the keys whose last token is dead and adds those that are missing or next.
func due(set *Settings, keys []ringKey, now time.Time) ([]ringKey, error) {
	ask(set, keys, now)
	all := slices.Clone(keys)
	keys = slices.DeleteFunc(keys, func(k ringKey) bool {
		end := replaced(all, slices.Index(all, k))
		return !end.IsZero() && now.After(end.Add(k.keep+keyMargin))
	})
	var err error
	for _, alg := range set.Algorithms {
		i := newest(keys, alg)
		switch {
		case i < 0:
			keys, err = add(set, keys, alg, now, now)
		case !now.Before(keys[i].useFrom.Add(set.RotateEvery - set.PublishBefore)):
			keys, err = add(set, keys, alg, now, now.Add(set.PublishBefore))
		}
		if err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// ask notes at the keys which of their algorithms this node asks for, and how long
// their tokens live. A key that it does not ask for is retired, unless another node
// says otherwise at its next tick, and so goes on signing.
func ask(set *Settings, keys []ringKey, now time.Time) {
	for i := range keys {
		k := &keys[i]
		switch {
		case slices.Contains(set.Algorithms, k.private.Algorithm()):
			k.retired = time.Time{}
			k.keep = max(k.keep, set.KeepFor.Truncate(time.Millisecond))
		case k.retired.IsZero():
			k.retired = inMillis(now)
		}
	}
}

// replaced returns when the i-th of the sorted keys has signed its last token,
// or zero while that is open.
func replaced(keys []ringKey, i int) time.Time {
	k := keys[i]
	end := k.retired
	if next := i + 1; next < len(keys) && keys[next].private.Algorithm() == k.private.Algorithm() {
		if from := keys[next].useFrom; end.IsZero() || from.Before(end) {
			end = from
		}
	}
	return end
}

func add(set *Settings, keys []ringKey, alg jose.Algorithm, now, useFrom time.Time) ([]ringKey, error) {
	private, err := jose.GenerateKey(alg)
	if err != nil {
		return nil, err
	}
	return append(keys, ringKey{private: private, created: inMillis(now), useFrom: inMillis(useFrom), keep: set.KeepFor.Truncate(time.Millisecond)}), nil
}

// newestIDs returns the IDs of the newest keys.
func newestIDs(keys []ringKey) map[jose.Algorithm]string {
	ids := make(map[jose.Algorithm]string)
	for _, k := range keys {
		ids[k.private.Algorithm()] = keys[newest(keys, k.private.Algorithm())].private.ID()
	}
	return ids
}

// newest returns the index of the key of an algorithm that is used last, or -1.
func newest(keys []ringKey, alg jose.Algorithm) int {
	found := -1
	for i, k := range keys {
		if k.private.Algorithm() == alg && (found < 0 || !k.useFrom.Before(keys[found].useFrom)) {
			found = i
		}
	}
	return found
}

func inMillis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Run calls Tick until ctx ends. A panic would end the whole server: it is
// recovered and reported, and the next try waits longer.
func (r *Ring) Run(ctx context.Context) {
	delay := minTick // what Load has left to do
	for {
		timer := time.NewTimer(jitter(delay))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-r.configured:
			timer.Stop()
			delay = minTick
			continue
		case <-r.wake:
			timer.Stop()
		case <-timer.C:
		}
		if r.tickSafely(ctx) {
			delay = r.tickEvery()
		} else {
			delay = min(2*delay, 2*r.tickEvery())
		}
	}
}

// jitter takes up to a tenth off, so that nodes that started together do not stay together.
func jitter(d time.Duration) time.Duration {
	var b [1]byte
	_, _ = rand.Read(b[:]) // never fails
	return d - d*time.Duration(b[0])/2560
}

// tickEvery is short enough that every node knows a key before it is used, and
// that a key was dropped within LookEvery.
func (r *Ring) tickEvery() time.Duration {
	set := r.settings.Load()
	every := min(max(set.PublishBefore/4, minTick), maxTick)
	if set.LookEvery > 0 {
		every = min(every, max(set.LookEvery, minTick))
	}
	return every
}

func (r *Ring) tickSafely(ctx context.Context) (ok bool) {
	if err := background.Try(func() error { return r.Tick(ctx) }); err != nil {
		if _, panicked := errors.AsType[*background.PanicError](err); panicked {
			oauth.ReportRecovered(r.observer, "signing_keys")(err)
		} else if ctx.Err() == nil {
			r.observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.OutcomeSigningKeys, Cause: err})
		}
		return false
	}
	return true
}
