package boltstore

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// noteRecord is the clients that have taken a code in a session, to be told of its end.
type noteRecord struct {
	at, till time.Time // seconds
	clients  []storage.ClientTag
}

func (r noteRecord) encode() []byte {
	b := appendSeconds(appendSeconds([]byte{recordVersion}, r.at), r.till)
	for _, c := range r.clients {
		b = append(b, c[:]...)
	}
	return b
}

func (r *noteRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.at, r.till, r.clients = d.seconds(), d.seconds(), nil
	for d.err == nil && len(d.b) > 0 {
		var c storage.ClientTag
		copy(c[:], d.bytes(len(c)))
		r.clients = append(r.clients, c)
	}
	return d.end()
}

// logoutRecord is a logout to be told to a client.
type logoutRecord struct {
	since, due time.Time // milliseconds
	tries      byte
	attempt    storage.Attempt // that sends it, or did last
	subject    string
}

func (r logoutRecord) encode() []byte {
	b := appendMillis(appendMillis([]byte{recordVersion}, r.since), r.due)
	b = append(append(b, r.tries), r.attempt[:]...)
	return append(b, r.subject...)
}

func (r *logoutRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.since, r.due = d.millis(), d.millis()
	if tries := d.bytes(1); tries != nil {
		r.tries = tries[0]
	}
	copy(r.attempt[:], d.bytes(len(r.attempt)))
	r.subject = string(d.rest())
	return d.end()
}

func (r logoutRecord) over(now time.Time) bool { return now.Sub(r.since) >= storage.KeepLogout }
