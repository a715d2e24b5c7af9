package denylist

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// renew asks for a fresh verdict in the background. When the queue is full the
// next request for the user tries again, and at MaxLag it asks itself.
func (d *Denylist) renew(v *verdict) {
	if !v.renewing.CompareAndSwap(false, true) {
		return
	}
	select {
	case d.renewals <- v:
	default:
		v.renewing.Store(false)
	}
}

// Run renews verdicts and client watermarks until ctx ends.
func (d *Denylist) Run(ctx context.Context) {
	tick := time.NewTimer(d.limits.Load().maxLag / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case v := <-d.renewals:
			if !d.renewBatch(ctx, d.collect(v)) {
				background.Pause(ctx, time.Second)
			}
		case <-tick.C:
			lag := d.limits.Load().maxLag
			if err := d.loadClients(ctx); err != nil && ctx.Err() == nil {
				d.observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.OutcomeWatermarks, Cause: err})
			}
			tick.Reset(lag / 4)
		}
	}
}

// collect takes what else waits for renewal, up to one batch.
func (d *Denylist) collect(first *verdict) []*verdict {
	batch := []*verdict{first}
	for len(batch) < renewalBatch {
		select {
		case v := <-d.renewals:
			batch = append(batch, v)
		default:
			return batch
		}
	}
	return batch
}

// renewBatch asks about many users in one call, and reports whether it could.
// Verdicts whose question failed keep their age, and are asked for again.
func (d *Denylist) renewBatch(ctx context.Context, batch []*verdict) bool {
	users := make([]storage.UserTag, len(batch))
	epochs := make([]moment, len(batch))
	for i, v := range batch {
		users[i] = v.user
		epochs[i] = d.epoch(v.user)
	}
	now := d.clock()
	call, cancel := context.WithTimeout(ctx, d.limits.Load().maxLag)
	defer cancel()
	answers, err := d.store.Denials(call, users)
	if err != nil || len(answers) != len(users) {
		for _, v := range batch {
			v.renewing.Store(false)
		}
		if ctx.Err() == nil {
			d.observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.OutcomeRenewal, Cause: err})
		}
		return false
	}
	for i, v := range batch {
		if answers[i].Err != nil {
			v.renewing.Store(false)
			continue
		}
		d.keep(users[i], answers[i], epochs[i], now)
	}
	return true
}
