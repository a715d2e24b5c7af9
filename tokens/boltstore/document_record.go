package boltstore

import "time"

// documentRecord is the metadata of a client.
type documentRecord struct {
	until time.Time // milliseconds
	text  []byte
}

func (r documentRecord) encode() []byte {
	return append(appendMillis([]byte{recordVersion}, r.until), r.text...)
}

// decode leaves the text pointing into b.
func (r *documentRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.until, r.text = d.millis(), d.rest()
	return d.end()
}
