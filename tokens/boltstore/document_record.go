package boltstore

import (
	"bytes"
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

// roomForDocument counts one document more. Where that is one too many, the first in the order goes.
func (t *txn) roomForDocument() error {
	var n countRecord
	if _, err := t.read(meta, metaDocuments, &n); err != nil {
		return err
	}
	if n < storage.MaxDocuments {
		t.put(meta, metaDocuments, (n + 1).encode())
		return nil
	}
	if k, _ := t.bucket(documentOrder).Cursor().First(); k != nil {
		t.remove(documentOrder, k)
		t.remove(documents, k[len(k)-len(storage.DocumentID{}):])
	}
	return nil
}

// putDocument writes a document whose place in the order is free.
func (t *txn) putDocument(r storage.DocumentRequest, until time.Time) {
	record := documentRecord{until: until, asOf: r.AsOf, goes: t.now.Add(r.After()), expected: r.Expected, text: r.Text}
	t.put(documents, r.ID[:], record.encode())
	t.put(documentOrder, record.orderKey(r.ID), []byte{recordVersion})
}

// importDocument writes a document over what an import has written before.
func (t *txn) importDocument(d *storage.DocumentRecord) error {
	var was documentRecord
	found, err := t.read(documents, d.ID[:], &was)
	if found {
		t.remove(documentOrder, was.orderKey(d.ID))
	}
	t.putDocument(d.DocumentRequest, d.Until)
	return err
}

// forgetDocuments removes what is noted of documents that are removed.
func (t *txn) forgetDocuments(ids []storage.DocumentID) error {
	if len(ids) == 0 {
		return nil
	}
	var n countRecord
	if _, err := t.read(meta, metaDocuments, &n); err != nil {
		return err
	}
	for _, id := range ids {
		var r documentRecord
		if found, err := t.read(documents, id[:], &r); err != nil || !found {
			return err
		}
		t.remove(documentOrder, r.orderKey(id))
	}
	t.put(meta, metaDocuments, (n - min(n, countRecord(len(ids)))).encode())
	return nil
}

// countDocuments counts them anew, after an import.
func (t *txn) countDocuments() {
	n := countRecord(0)
	c := t.bucket(documents).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	t.put(meta, metaDocuments, n.encode())
}

// documentRecord returns a document that is not over, or nil.
func (t *txn) documentRecord(id storage.DocumentID) (*storage.DocumentRecord, error) {
	var r documentRecord
	found, err := t.read(documents, id[:], &r)
	if err != nil || !found || !t.now.Before(r.until) {
		return nil, err
	}
	return &storage.DocumentRecord{
		DocumentRequest: storage.DocumentRequest{ID: id, Text: bytes.Clone(r.text), AsOf: r.asOf, Expected: r.expected}, Until: r.until,
	}, nil
}
