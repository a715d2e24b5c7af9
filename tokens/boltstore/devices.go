package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// deviceRecord is the request of a device.
type deviceRecord struct {
	expires  time.Time             // milliseconds
	polled   time.Time             // milliseconds; zero before the first poll
	interval time.Duration         // seconds
	state    storage.DeviceOutcome // DevicePending, DeviceApproved or DeviceDenied
	polledBy storage.Attempt       // the last poll
	tooFast  bool                  // what it was told
	decision storage.Attempt
	user     storage.UserTag // who has approved
	code     storage.CodeID
	body     []byte
}

func (r deviceRecord) encode() []byte {
	b := append(make([]byte, 0, 71+len(r.body)), recordVersion)
	b = appendMillis(b, r.expires)
	b = appendMillis(b, r.polled)
	b = binary.BigEndian.AppendUint32(b, uint32(r.interval/time.Second))
	flags := byte(r.state) << 1
	if r.tooFast {
		flags |= 1
	}
	b = append(b, flags)
	b = append(b, r.polledBy[:]...)
	b = append(b, r.decision[:]...)
	b = append(b, r.user[:]...)
	b = append(b, r.code[:]...)
	return append(b, r.body...)
}

// decode leaves body pointing into b.
func (r *deviceRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.expires, r.polled = d.millis(), d.millis()
	if s := d.bytes(4); s != nil {
		r.interval = time.Duration(binary.BigEndian.Uint32(s)) * time.Second
	}
	if flags := d.bytes(1); flags != nil {
		r.state, r.tooFast = storage.DeviceOutcome(flags[0]>>1), flags[0]&1 != 0
	}
	copy(r.polledBy[:], d.bytes(len(r.polledBy)))
	copy(r.decision[:], d.bytes(len(r.decision)))
	copy(r.user[:], d.bytes(len(r.user)))
	copy(r.code[:], d.bytes(len(r.code)))
	r.body = d.rest()
	return d.end()
}

// device reads a request that has not ended, whose body points into the file.
func (t *txn) device(id storage.DeviceID) (r deviceRecord, found bool, err error) {
	found, err = t.read(devices, id[:], &r)
	return r, found && t.now.Before(r.expires), err
}

// PutDevice implements storage.Devices.
func (s *Store) PutDevice(ctx context.Context, r storage.DevicePut) (kept bool, err error) {
	r.Body = bytes.Clone(r.Body) // the caller may leave before the commit
	return decide(ctx, s, "put_device", func(t *txn) (bool, error) {
		was, found, err := t.device(r.ID)
		if err != nil || found {
			return found && was.code == r.Code, err
		}
		record := deviceRecord{expires: t.now.Add(r.Lifetime), interval: r.Interval, state: storage.DevicePending, code: r.Code, body: r.Body}
		t.put(devices, r.ID[:], record.encode())
		return true, nil
	})
}

// Device implements storage.Devices.
func (s *Store) Device(ctx context.Context, id storage.DeviceID) (body []byte, found bool, err error) {
	r, err := view(ctx, s, "device", func(t *txn) (deviceRecord, error) {
		r, found, err := t.device(id)
		if err != nil || !found {
			return deviceRecord{}, err
		}
		r.body = bytes.Clone(r.body)
		return r, nil
	})
	if err != nil || r.state != storage.DevicePending {
		return nil, false, err
	}
	return r.body, true, nil
}

// DecideDevice implements storage.Devices.
func (s *Store) DecideDevice(ctx context.Context, d storage.DeviceDecision) (decided bool, err error) {
	return decide(ctx, s, "decide_device", func(t *txn) (bool, error) {
		r, found, err := t.device(d.ID)
		if err != nil || !found || r.code != d.Code {
			return false, err
		}
		if r.state != storage.DevicePending {
			return r.decision == d.Attempt, nil // the same call sent again
		}
		r.state, r.user, r.decision = storage.DeviceDenied, d.User, d.Attempt
		if d.Approved {
			r.state, r.expires = storage.DeviceApproved, later(r.expires, t.now.Add(d.Grace))
		}
		t.put(devices, d.ID[:], r.encode())
		return true, nil
	})
}

// PollDevice implements storage.Devices.
func (s *Store) PollDevice(ctx context.Context, p storage.DevicePoll) (storage.DeviceState, error) {
	return decide(ctx, s, "poll_device", func(t *txn) (storage.DeviceState, error) { return pollDevice(t, p) })
}

func pollDevice(t *txn, p storage.DevicePoll) (storage.DeviceState, error) {
	r, found, err := t.device(p.ID)
	if err != nil || !found || r.code != p.Code {
		return storage.DeviceState{}, err
	}
	if r.state != storage.DevicePending {
		state := storage.DeviceState{Outcome: r.state, User: r.user, Interval: r.interval}
		if r.state == storage.DeviceApproved {
			state.Body = bytes.Clone(r.body)
		}
		return state, nil
	}
	if r.polled.IsZero() || r.polledBy != p.Attempt { // else it is the same call sent again
		r.tooFast = !r.polled.IsZero() && t.now.Sub(r.polled) < r.interval-p.Slack
		if r.tooFast {
			r.interval = min(r.interval+p.Step, p.Most)
		}
		r.polled, r.polledBy = t.now, p.Attempt
		t.put(devices, p.ID[:], r.encode())
	}
	state := storage.DeviceState{Outcome: storage.DevicePending, Interval: r.interval}
	if r.tooFast {
		state.Outcome = storage.DeviceTooFast
	}
	return state, nil
}
