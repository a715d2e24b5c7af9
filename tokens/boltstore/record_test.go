package boltstore

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// record is what every kind of record can do.
type record interface {
	decoded
	encode() []byte
}

// someRecords returns a full and an empty record of each kind.
func someRecords() []record {
	s, ms := time.Unix(1_900_000_000, 0), time.UnixMilli(1_900_000_000_123)
	return []record{
		&sessionRecord{begun: s, authTime: s, expires: s.Add(time.Hour), used: s}, &sessionRecord{},
		&sessionRecord{begun: s, expires: s, used: s, root: storage.SessionID{1}, acr: "pwd"}, &sessionRecord{authTime: s, acr: "mfa", amr: "pwd otp"},
		&codeRecord{put: s, expires: ms, taken: ms, attempt: storage.Attempt{1}, session: storage.SessionID{2}, owner: [16]byte{3}}, &codeRecord{},
		&bodyRecord{expires: ms, body: []byte("body")}, &bodyRecord{},
		&grantRecord{until: s, text: []byte("text")}, &grantRecord{},
		&profileRecord{fingerprint: storage.Fingerprint{1}, written: time.Unix(1_800_000_000, 0), person: true, subject: "local|alice"}, &profileRecord{},
		&profileRecord{fingerprint: storage.Fingerprint{1}, subject: "local|alice", before: storage.Fingerprint{2}, heldUntil: s}, &profileRecord{person: true, heldUntil: s},
		&upstreamRecord{seq: 7, lease: ms, attempt: storage.Attempt{1}, asked: ms, checked: ms, doubtful: true, session: storage.SessionID{2}, sealed: []byte("sealed")}, &upstreamRecord{},
		&denialRecord{until: s, attempt: storage.Attempt{1}, lived: true, reused: true}, &denialRecord{},
		&marksRecord{before: s, until: s, issued: s, folded: s, attempt: storage.Attempt{1}, now: ms, ended: []storage.FamilyID{{1}, {2}}}, &marksRecord{},
		&clientRecord{before: s, until: s}, &clientRecord{},
		&openingRecord{born: ms, tokenLifetime: time.Hour, secrets: [][16]byte{{1}, {2}}, issuers: []string{"https://a.example/", "https://b.example/"}}, &openingRecord{},
		&keysRecord{version: math.MaxUint64, sealed: []byte("sealed")}, &keysRecord{},
	}
}

// emptyRecords returns one of each kind.
func emptyRecords() []record {
	return []record{
		&sessionRecord{}, &sessionRecord{}, &codeRecord{}, &bodyRecord{}, &grantRecord{}, &profileRecord{}, &profileRecord{}, &upstreamRecord{}, &denialRecord{},
		&marksRecord{}, &clientRecord{}, &openingRecord{}, &keysRecord{},
	}
}

func TestRecords(t *testing.T) {
	for i, want := range someRecords() {
		b := want.encode()
		got := emptyRecords()[i/2]
		if err := got.decode(b); err != nil || !bytes.Equal(got.encode(), b) {
			t.Errorf("%T: read %+v (%v), wrote %+v", want, got, err, want)
		}
		for n := range b {
			short := emptyRecords()[i/2]
			if err := short.decode(b[:n]); err == nil && !bytes.Equal(short.encode(), b[:n]) {
				t.Errorf("%T: %d of %d bytes are another record", want, n, len(b))
			}
		}
		newer := append([]byte{b[0] + 1}, b[1:]...)
		if err := got.decode(newer); !errors.Is(err, errNewerRecord) {
			t.Errorf("%T of a newer version: %v", want, err)
		}
	}
}

// FuzzRecords shows that no content of the file makes reading it panic, and
// that what is read is written again as it was.
func FuzzRecords(f *testing.F) {
	for i, r := range someRecords() {
		f.Add(uint8(i/2), r.encode())
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		all := emptyRecords()
		r := all[int(kind)%len(all)]
		if err := r.decode(b); err != nil {
			return
		}
		again := emptyRecords()[int(kind)%len(all)]
		wrote := r.encode()
		if err := again.decode(wrote); err != nil || !bytes.Equal(again.encode(), wrote) {
			t.Errorf("%T: wrote %x (%v) for %x", r, wrote, err, b)
		}
	})
}
