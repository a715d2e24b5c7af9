package storage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"
)

// Consents keeps what a person has agreed to, one record for each client. It is written with
// a code (PutRequest.Consent), read with a session, and ended by Families.End
// with EndConsent.
type Consents interface {
	// Consents returns what a user has agreed to, in the order of When.
	Consents(ctx context.Context, user UserTag) ([]Consent, error)
}

// The bounds of what a user has agreed to.
const (
	// MaxConsents is how many clients that may be. One more drops the one that was not
	// used for the longest time.
	MaxConsents = 100
	// KeepConsent is for how long one is kept that nobody uses.
	KeepConsent = 365 * 24 * time.Hour
	// TouchConsent is how exact Used is: a use so soon after it is not written.
	TouchConsent = time.Hour
	// MaxConsentName is how long a Name is, in bytes.
	MaxConsentName = 37
)

// Consent is what a user has agreed to at one client. The zero value stands for none.
type Consent struct {
	Client ClientTag
	When   time.Time // that the user agreed last; seconds
	Used   time.Time // the last code that rested on it, exact to TouchConsent; seconds
	// Agreed is the content hash of the text that says what was agreed to, which is kept as
	// the texts of grants are (Families.PutGrant).
	Agreed GrantID
	// Name is what the client was called then: for when it is not known any more.
	Name string
	Host bool // Name is the host that vouches for a client which nobody has registered
}

// Over reports whether the consent was not used for so long that it is forgotten.
func (c Consent) Over(now time.Time) bool { return now.Sub(c.Used) >= KeepConsent }

const (
	consentVersion = 1
	consentSize    = 22 // without the name
	consentHost    = 1
)

// MarshalBinary encodes the record; the Client is left out. Layout, big-endian: version 1,
// when 4, used 4, agreed 12, flags 1, name.
func (c Consent) MarshalBinary() ([]byte, error) {
	b := append(make([]byte, 0, consentSize+MaxConsentName), consentVersion)
	b = AppendSeconds(AppendSeconds(b, c.When), c.Used)
	return append(b, c.Text()...), nil
}

// Text is what the record says beside its times.
func (c Consent) Text() []byte {
	flags := byte(0)
	if c.Host {
		flags |= consentHost
	}
	return append(append(slices.Clone(c.Agreed[:]), flags), clip(c.Name, MaxConsentName)...)
}

// clip cuts a text to so many bytes at most, and no character apart.
func clip(text string, most int) string {
	for len(text) > most {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// UnmarshalBinary reads what MarshalBinary wrote, and keeps none of b. A record of another
// version is an error.
func (c *Consent) UnmarshalBinary(b []byte) error {
	switch {
	case len(b) > 0 && b[0] != consentVersion:
		return errors.New("reading a consent: written by a newer version of Gatehouse; upgrade this node")
	case len(b) < consentSize:
		return errors.New("reading a consent: damaged")
	}
	c.When, c.Used, c.Agreed = ReadSeconds(b[1:]), ReadSeconds(b[5:]), GrantID(b[9:21])
	c.Host, c.Name = b[21]&consentHost != 0, string(b[consentSize:])
	return nil
}

// ConsentsRecord is what a user has agreed to.
type ConsentsRecord struct {
	User     UserTag
	Consents []Consent
}

// Excess returns which clients' consents have to go for that of one more: what is over, and
// the least used, so that with it there are MaxConsents at most.
func (r ConsentsRecord) Excess(client ClientTag, now time.Time) (gone []ClientTag) {
	others := make([]Consent, 0, len(r.Consents))
	for _, o := range r.Consents {
		switch {
		case o.Client == client:
		case o.Over(now):
			gone = append(gone, o.Client)
		default:
			others = append(others, o)
		}
	}
	if len(others) < MaxConsents {
		return gone
	}
	slices.SortFunc(others, func(a, b Consent) int { return cmp.Or(a.Used.Compare(b.Used), bytes.Compare(a.Client[:], b.Client[:])) })
	for _, o := range others[:len(others)+1-MaxConsents] {
		gone = append(gone, o.Client)
	}
	return gone
}

// Live leaves out what is over, and orders the rest by When.
func (r ConsentsRecord) Live(now time.Time) []Consent {
	live := slices.DeleteFunc(slices.Clone(r.Consents), func(c Consent) bool { return c.Over(now) })
	slices.SortFunc(live, func(a, b Consent) int { return cmp.Or(a.When.Compare(b.When), bytes.Compare(a.Client[:], b.Client[:])) })
	return live
}
