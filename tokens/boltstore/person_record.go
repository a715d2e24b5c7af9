package boltstore

import (
	"encoding/binary"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// keepProfile is for how long a profile is kept, from the last login on, when its user has
// nothing else any more.
const keepProfile = 90 * 24 * time.Hour

// profileRecord is who a user is.
type profileRecord struct {
	fingerprint storage.Fingerprint
	written     time.Time // seconds; the last login
	person      bool      // there is a record of the person
	subject     string
	before      storage.Fingerprint // that the last login has replaced
	heldUntil   time.Time           // seconds; zero where there is none
}

func (r profileRecord) encode() []byte {
	b := append(make([]byte, 0, 14+len(r.subject)), secondVersion)
	b = append(b, r.fingerprint[:]...)
	b = appendSeconds(b, r.written)
	var flags byte
	if r.person {
		flags |= withPerson
	}
	if r.heldUntil.IsZero() {
		return append(append(b, flags), r.subject...)
	}
	b = append(append(b, flags|withBefore), r.before[:]...)
	return append(appendSeconds(b, r.heldUntil), r.subject...)
}

// The flags of a profileRecord.
const (
	withPerson = 1
	withBefore = 2
)

func (r *profileRecord) decode(b []byte) error {
	d := newDecoderOf(b, secondVersion)
	copy(r.fingerprint[:], d.bytes(len(r.fingerprint)))
	r.written = d.seconds()
	if flags := d.bytes(1); flags != nil {
		r.person = flags[0]&withPerson != 0
		if flags[0]&withBefore != 0 {
			copy(r.before[:], d.bytes(len(r.before)))
			r.heldUntil = d.seconds()
		}
	}
	r.subject = string(d.rest())
	return d.end()
}

// personRecord is what is known of a person beyond that.
type personRecord struct{ storage.Person }

// decode copies what it keeps.
func (r *personRecord) decode(b []byte) error {
	if len(b) == 0 {
		return errBadRecord
	}
	return r.UnmarshalBinary(b)
}

// upstreamRecord is what a provider gave at a login.
type upstreamRecord struct {
	seq      uint32            // of what is sealed
	lease    time.Time         // milliseconds; till when a check is leased, zero for not
	attempt  storage.Attempt   // that leases it, or did last
	asked    time.Time         // milliseconds
	checked  time.Time         // milliseconds
	doubtful bool              // a check before never ended
	thin     bool              // the last answer said nothing of the person
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
	if r.thin {
		flags |= 2
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
		r.doubtful, r.thin = flags[0]&1 != 0, flags[0]&2 != 0
	}
	copy(r.session[:], d.bytes(len(r.session)))
	r.sealed = d.rest()
	return d.end()
}

// over reports whether nobody has asked for a long time.
func (r upstreamRecord) over(now time.Time) bool { return now.Sub(r.asked) >= storage.KeepUpstream }

// indexRecord is the logins under a provider's name.
type indexRecord struct{ storage.IndexRecord }

// decode copies what it keeps.
func (r *indexRecord) decode(b []byte) error { return r.UnmarshalBinary(b) }
