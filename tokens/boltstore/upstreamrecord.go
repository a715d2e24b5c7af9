package boltstore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// upstreamRecord is what a provider gave at a login.
type upstreamRecord struct {
	seq      uint32            // of what is sealed
	lease    time.Time         // milliseconds; till when a check is leased, zero for not
	attempt  storage.Attempt   // that leases it, or did last
	asked    time.Time         // milliseconds
	checked  time.Time         // milliseconds
	doubtful bool              // a check before never ended
	session  storage.SessionID // that began with the login
	sealed   []byte            // nil where nothing can be asked with it any more
}

func (r upstreamRecord) encode() []byte {
	b := append(make([]byte, 0, 46+len(r.sealed)), recordVersion)
	b = binary.BigEndian.AppendUint32(b, r.seq)
	b = appendMillis(b, r.lease)
	b = append(b, r.attempt[:]...)
	b = appendMillis(b, r.asked)
	b = appendMillis(b, r.checked)
	var flags byte
	if r.doubtful {
		flags = 1
	}
	b = append(b, flags)
	b = append(b, r.session[:]...)
	return append(b, r.sealed...)
}

// decode leaves sealed pointing into b.
func (r *upstreamRecord) decode(b []byte) error {
	d := newDecoder(b)
	if seq := d.bytes(4); seq != nil {
		r.seq = binary.BigEndian.Uint32(seq)
	}
	r.lease = d.millis()
	copy(r.attempt[:], d.bytes(len(r.attempt)))
	r.asked, r.checked = d.millis(), d.millis()
	if flags := d.bytes(1); flags != nil {
		r.doubtful = flags[0]&1 != 0
	}
	copy(r.session[:], d.bytes(len(r.session)))
	r.sealed = d.rest()
	return d.end()
}

// over reports whether nobody has asked for a long time.
func (r upstreamRecord) over(now time.Time) bool { return now.Sub(r.asked) >= storage.KeepUpstream }

// upstream reads what a provider gave for a root, unless it is over. It points into the file.
func (t *txn) upstream(user storage.UserTag, root storage.SessionID) (r upstreamRecord, found bool, err error) {
	found, err = t.read(upstreams, userKey(user, root[:]), &r)
	return r, found && !r.over(t.now), err
}

func (t *txn) putUpstream(user storage.UserTag, root storage.SessionID, r upstreamRecord) {
	t.put(upstreams, userKey(user, root[:]), r.encode())
}

// putLogin keeps what a provider gave at a login, in the place of what the login before
// brought. The same call sent again changes nothing.
func (t *txn) putLogin(r storage.SessionRequest, root storage.SessionID, changed bool) error {
	if len(r.Upstream) == 0 {
		if root != r.ID {
			t.remove(upstreams, userKey(r.User, root[:]))
		}
		return nil
	}
	was, found, err := t.upstream(r.User, root)
	if err != nil || found && was.session == r.ID {
		return err
	}
	if !changed { // else all were removed
		if err := t.boundUpstreams(r.User, root); err != nil {
			return err
		}
	}
	t.putUpstream(r.User, root, upstreamRecord{seq: 1, asked: t.now, checked: t.now, session: r.ID, sealed: r.Upstream})
	return nil
}

// boundUpstreams removes the ones that were not asked for the longest time, so that with
// that of a root there are at most storage.MaxUpstreams.
func (t *txn) boundUpstreams(user storage.UserTag, root storage.SessionID) error {
	type other struct {
		key   []byte
		asked time.Time
	}
	var others []other
	err := t.scan(upstreams, user[:], func(k, v []byte) error {
		var r upstreamRecord
		err := r.decode(v)
		if storage.SessionID(k[len(user):]) != root {
			others = append(others, other{k, r.asked})
		}
		return err
	})
	if err != nil || len(others) < storage.MaxUpstreams {
		return err
	}
	slices.SortFunc(others, func(a, b other) int { return cmp.Or(a.asked.Compare(b.asked), bytes.Compare(a.key, b.key)) })
	for _, o := range others[:len(others)+1-storage.MaxUpstreams] {
		t.remove(upstreams, o.key)
	}
	return nil
}
