package boltstore

import (
	"encoding/binary"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// documentRecord is the metadata of a client.
type documentRecord struct {
	until    time.Time // milliseconds
	asOf     time.Time // milliseconds
	goes     time.Time // milliseconds: its place in the bucket of the order
	expected bool
	text     []byte // empty where there is none any more
}

func (r documentRecord) encode() []byte {
	b := appendMillis(appendMillis(appendMillis([]byte{recordVersion}, r.until), r.asOf), r.goes)
	flag := byte(0)
	if r.expected {
		flag = 1
	}
	return append(append(b, flag), r.text...)
}

// decode leaves the text pointing into b.
func (r *documentRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.until, r.asOf, r.goes = d.millis(), d.millis(), d.millis()
	if flags := d.bytes(1); flags != nil {
		r.expected = flags[0] == 1
	}
	r.text = d.rest()
	return d.end()
}

// orderKey names the place of a document in the order in which they go.
func (r *documentRecord) orderKey(id storage.DocumentID) []byte {
	return append(appendMillis(nil, r.goes), id[:]...)
}

// metaDocuments is the key in the meta bucket of the countRecord.
var metaDocuments = []byte("documents")

// countRecord is how many documents are kept.
type countRecord uint64

func (r countRecord) encode() []byte {
	return binary.BigEndian.AppendUint64([]byte{recordVersion}, uint64(r))
}

func (r *countRecord) decode(b []byte) error {
	d := newDecoder(b)
	*r = countRecord(d.uint64())
	return d.end()
}
