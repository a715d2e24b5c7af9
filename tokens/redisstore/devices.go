package redisstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// deviceKeys names the key of a device's request, which is in a slot of its own.
func (s *Store) deviceKeys(id storage.DeviceID) []string {
	return []string{s.options.KeyPrefix + "{" + id.String() + "}" + devices}
}

// PutDevice implements storage.Devices.
func (s *Store) PutDevice(ctx context.Context, r storage.DevicePut) (kept bool, err error) {
	a, err := s.decide(ctx, "put_device", s.scripts().putDevice, s.deviceKeys(r.ID),
		r.Code[:], wholeSeconds(r.Interval), millis(r.Lifetime), r.Body)
	if err != nil {
		return false, err
	}
	kept = a.bool()
	return kept, a.err
}

// Device implements storage.Devices.
func (s *Store) Device(ctx context.Context, id storage.DeviceID) (body []byte, found bool, err error) {
	a, err := s.decide(ctx, "device", s.scripts().getDevice, s.deviceKeys(id))
	if err != nil || !a.present() {
		return nil, false, err
	}
	body = a.bytes()
	return body, a.err == nil, a.err
}

// DecideDevice implements storage.Devices.
func (s *Store) DecideDevice(ctx context.Context, d storage.DeviceDecision) (decided bool, err error) {
	a, err := s.decide(ctx, "decide_device", s.scripts().decideDevice, s.deviceKeys(d.ID),
		d.Code[:], d.User[:], flag(d.Approved), millis(d.Grace), d.Attempt[:])
	if err != nil {
		return false, err
	}
	decided = a.bool()
	return decided, a.err
}

// PollDevice implements storage.Devices.
func (s *Store) PollDevice(ctx context.Context, p storage.DevicePoll) (storage.DeviceState, error) {
	a, err := s.decide(ctx, "poll_device", s.scripts().pollDevice, s.deviceKeys(p.ID),
		p.Code[:], millis(p.Slack), wholeSeconds(p.Step), wholeSeconds(p.Most), p.Attempt[:])
	if err != nil {
		return storage.DeviceState{}, err
	}
	state := storage.DeviceState{
		Outcome:  storage.DeviceOutcome(a.int()),
		Interval: time.Duration(a.int()) * time.Second,
	}
	if user := a.text(); len(user) == len(state.User) {
		copy(state.User[:], user)
	}
	state.Body = a.bytes()
	if a.err != nil {
		return storage.DeviceState{}, a.err
	}
	return state, nil
}

func wholeSeconds(d time.Duration) int64 { return int64(d / time.Second) }
