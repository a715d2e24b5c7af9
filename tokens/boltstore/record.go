package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// recordVersion leads every record but those that have a second form. An older
// program must not guess at a newer record, so another version is an error.
const (
	recordVersion = 1
	secondVersion = 2 // sessions, codes, marks, grants and profiles
	thirdVersion  = 3 // clients
)

var (
	errNewerRecord = errors.New("reading a record: written by a newer version of Gatehouse; upgrade this node")
	errBadRecord   = fmt.Errorf("reading a record: %w", errDamaged)
)

// clockRecord is what the store's clock said when it was last written.
type clockRecord struct{ last time.Time } // milliseconds

func (r clockRecord) encode() []byte { return appendMillis([]byte{recordVersion}, r.last) }

func (r *clockRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.last = d.millis()
	return d.end()
}

// sessionRecord is a login session.
type sessionRecord struct {
	begun, expires, used time.Time         // seconds
	authTime             time.Time         // seconds; zero where it is not known
	root                 storage.SessionID // zero where it is the session itself
	acr, amr             string
}

// over reports whether the session has ended, absolutely or unused for idle (0: no such limit).
func (r sessionRecord) over(now time.Time, idle time.Duration) bool {
	return !r.expires.IsZero() && !now.Before(r.expires) || idle > 0 && now.Sub(r.used) >= idle
}

func (r sessionRecord) encode() []byte {
	b := append(make([]byte, 0, 17), secondVersion)
	b = appendSeconds(b, r.begun)
	b = appendSeconds(b, r.authTime)
	b = appendSeconds(b, r.expires)
	b = appendSeconds(b, r.used)
	if r.root == (storage.SessionID{}) && r.acr == "" && r.amr == "" {
		return b
	}
	b = append(append(b, r.root[:]...), byte(len(r.amr)))
	return append(append(b, r.amr...), r.acr...)
}

func (r *sessionRecord) decode(b []byte) error {
	d := newDecoderOf(b, secondVersion)
	r.begun, r.authTime, r.expires, r.used = d.seconds(), d.seconds(), d.seconds(), d.seconds()
	r.root, r.acr, r.amr = storage.SessionID{}, "", ""
	if d.err != nil || len(d.b) == 0 {
		return d.end()
	}
	copy(r.root[:], d.bytes(len(r.root)))
	if length := d.bytes(1); length != nil {
		r.amr = string(d.bytes(int(length[0])))
	}
	r.acr = string(d.rest())
	if d.err == nil && r.root == (storage.SessionID{}) && r.acr == "" && r.amr == "" {
		return errBadRecord
	}
	return d.end()
}

// codeRecord is an authorization code, taken or not.
type codeRecord struct {
	put     time.Time       // seconds
	expires time.Time       // milliseconds; of a spent code, when it is forgotten
	taken   time.Time       // milliseconds; zero while it is good
	attempt storage.Attempt // that took it
	session storage.SessionID
	owner   [16]byte
}

func (r codeRecord) encode() []byte {
	b := append(make([]byte, 0, 53), secondVersion)
	b = appendSeconds(b, r.put)
	b = appendMillis(b, r.expires)
	b = appendMillis(b, r.taken)
	b = append(b, r.attempt[:]...)
	b = append(b, r.session[:]...)
	return append(b, r.owner[:]...)
}

func (r *codeRecord) decode(b []byte) error {
	d := newDecoderOf(b, secondVersion)
	r.put, r.expires, r.taken = d.seconds(), d.millis(), d.millis()
	copy(r.attempt[:], d.bytes(len(r.attempt)))
	copy(r.session[:], d.bytes(len(r.session)))
	copy(r.owner[:], d.bytes(len(r.owner)))
	return d.end()
}

// bodyRecord is what a code says. A spent one's is kept until the code would have
// expired, for a call that is sent again.
type bodyRecord struct {
	expires time.Time // milliseconds
	body    []byte
}

func (r bodyRecord) encode() []byte {
	b := append(make([]byte, 0, 9+len(r.body)), recordVersion)
	return append(appendMillis(b, r.expires), r.body...)
}

// decode leaves body pointing into b.
func (r *bodyRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.expires = d.millis()
	r.body = d.rest()
	return d.end()
}

// grantRecord is the text of a grant.
type grantRecord struct {
	until time.Time // seconds; zero for no end
	text  []byte
}

func (r grantRecord) encode() []byte {
	b := append(make([]byte, 0, 5+len(r.text)), secondVersion)
	return append(appendSeconds(b, r.until), r.text...)
}

// decode leaves text pointing into b.
func (r *grantRecord) decode(b []byte) error {
	d := newDecoderOf(b, secondVersion)
	r.until = d.seconds()
	r.text = d.rest()
	return d.end()
}

// over reports whether no family can have the grant any more.
func (r grantRecord) over(now time.Time) bool { return !r.until.IsZero() && !now.Before(r.until) }

// denialRecord is one entry of a user's denylist, or an ended session.
type denialRecord struct {
	until   time.Time       // seconds
	attempt storage.Attempt // the call that ended the family
	lived   bool            // the family lived until then
	reused  bool            // it was ended because an old token was presented
	// withdrawn is until when a client's consent is, in seconds: of DenyClient alone.
	withdrawn time.Time
}

func (r denialRecord) encode() []byte {
	b := append(make([]byte, 0, 18), recordVersion)
	b = appendSeconds(b, r.until)
	b = append(b, r.attempt[:]...)
	var flags byte
	if r.lived {
		flags |= 1
	}
	if r.reused {
		flags |= 2
	}
	b = append(b, flags)
	if r.withdrawn.IsZero() {
		return b
	}
	return appendSeconds(b, r.withdrawn)
}

func (r *denialRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.until = d.seconds()
	copy(r.attempt[:], d.bytes(len(r.attempt)))
	if flags := d.bytes(1); flags != nil {
		r.lived, r.reused = flags[0]&1 != 0, flags[0]&2 != 0
	}
	if r.withdrawn = (time.Time{}); d.err == nil && len(d.b) > 0 {
		r.withdrawn = d.seconds()
	}
	return d.end()
}

// marksRecord holds for a whole user.
type marksRecord struct {
	before  time.Time          // seconds; the last sign-out everywhere, zero for none
	until   time.Time          // seconds; how long before must be remembered
	issued  time.Time          // seconds; the latest time ahead of the clock that a token was dated by
	folded  time.Time          // seconds; nothing begins of a code that was put or taken until then
	attempt storage.Attempt    // the sign-out
	now     time.Time          // milliseconds; the answer to the sign-out
	ended   []storage.FamilyID // the families it ended
	// withdrawn is that of the client that a decision is about; it is not part of the record.
	withdrawn time.Time
}

func (r marksRecord) encode() []byte {
	b := append(make([]byte, 0, 33+16*len(r.ended)), secondVersion)
	b = appendSeconds(b, r.before)
	b = appendSeconds(b, r.until)
	b = appendSeconds(b, r.issued)
	b = appendSeconds(b, r.folded)
	b = append(b, r.attempt[:]...)
	b = appendMillis(b, r.now)
	for _, id := range r.ended {
		b = append(b, id[:]...)
	}
	return b
}

func (r *marksRecord) decode(b []byte) error {
	rest, err := r.decodeTimes(b)
	if err != nil {
		return err
	}
	d := decoder{b: rest}
	copy(r.attempt[:], d.bytes(len(r.attempt)))
	r.now = d.millis()
	r.ended = nil
	for len(d.b) >= 16 {
		r.ended = append(r.ended, storage.FamilyID(d.bytes(16)))
	}
	if len(d.b) != 0 {
		return errBadRecord
	}
	return d.end()
}

// decodeTimes reads what the request path needs, however many families the
// sign-out has ended, and returns what follows.
func (r *marksRecord) decodeTimes(b []byte) (rest []byte, err error) {
	d := newDecoderOf(b, secondVersion)
	r.before, r.until, r.issued, r.folded = d.seconds(), d.seconds(), d.seconds(), d.seconds()
	rest = d.rest()
	return rest, d.end()
}

// gone reports whether nothing of the marks counts any more.
func (r marksRecord) gone(now time.Time) bool {
	return !now.Before(r.until) && now.Unix() > r.issued.Unix() && (r.folded.IsZero() || now.After(r.folded.Add(storage.CodesLive)))
}

// clientRecord is the watermark of a client.
type clientRecord struct {
	before time.Time // seconds
	until  time.Time // seconds; from when on it holds no more, zero for never
	// blocked is a flag of its own: while it is set the watermark holds, whatever its time.
	blocked bool
}

func (r clientRecord) encode() []byte {
	b := append(make([]byte, 0, 10), thirdVersion)
	b = appendSeconds(appendSeconds(b, r.before), r.until)
	if r.blocked {
		return append(b, 1)
	}
	return append(b, 0)
}

func (r *clientRecord) decode(b []byte) error {
	d := newDecoderOf(b, thirdVersion)
	r.before, r.until, r.blocked = d.seconds(), d.seconds(), string(d.bytes(1)) == "\x01"
	return d.end()
}

// over reports whether the watermark holds no more.
func (r clientRecord) over(now time.Time) bool {
	return !r.blocked && !r.until.IsZero() && !now.Before(r.until)
}

// openingRecord is what the store knows of itself.
type openingRecord struct {
	born          time.Time // milliseconds
	tokenLifetime time.Duration
	secrets       [][16]byte // as last opened
	issuers       []string   // as last opened
}

func (r openingRecord) encode() []byte {
	b := append(make([]byte, 0, 18+16*len(r.secrets)), recordVersion)
	b = appendMillis(b, r.born)
	b = binary.BigEndian.AppendUint64(b, uint64(r.tokenLifetime))
	b = append(b, byte(len(r.secrets)))
	for _, id := range r.secrets {
		b = append(b, id[:]...)
	}
	return append(b, strings.Join(r.issuers, "\n")...)
}

func (r *openingRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.born = d.millis()
	r.tokenLifetime = time.Duration(d.uint64())
	r.secrets, r.issuers = nil, nil
	if number := d.bytes(1); number != nil {
		for range number[0] {
			if id := d.bytes(16); id != nil {
				r.secrets = append(r.secrets, [16]byte(id))
			}
		}
	}
	if issuers := string(d.rest()); issuers != "" {
		r.issuers = strings.Split(issuers, "\n")
	}
	if r.tokenLifetime < 0 {
		return errBadRecord
	}
	return d.end()
}

// keysRecord is the sealed signing keys.
type keysRecord struct {
	version uint64
	sealed  []byte
}

func (r keysRecord) encode() []byte {
	b := append(make([]byte, 0, 9+len(r.sealed)), recordVersion)
	b = binary.BigEndian.AppendUint64(b, r.version)
	return append(b, r.sealed...)
}

// decode leaves sealed pointing into b.
func (r *keysRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.version = d.uint64()
	r.sealed = d.rest()
	return d.end()
}
