package boltstore

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// scanUsers is how many users one reading transaction of a scan looks at: a
// long one would keep old pages from being used again.
const scanUsers = 512

// userParts are the parts of a user and the buckets that they lie in.
var userParts = []struct {
	part    storage.UserParts
	buckets []bucketID
	read    func(t *txn, user storage.UserTag) (storage.Record, error)
}{
	{storage.PartHeld, []bucketID{profiles, people, sessions, families}, readHeld},
	{storage.PartDenied, []bucketID{denials}, readDenied},
	{storage.PartCodes, []bucketID{codes}, readCodes},
	{storage.PartUpstreams, []bucketID{upstreams}, readUpstreams},
	{storage.PartIndex, []bucketID{indexes}, readIndex},
	{storage.PartOutbox, []bucketID{notes, logouts}, readOutbox},
	{storage.PartConsents, []bucketID{consents}, readConsents},
}

// ScanUsers implements storage.Users.
func (s *Store) ScanUsers(ctx context.Context, parts storage.UserParts, each func(storage.Record) error) error {
	for _, p := range userParts {
		if parts&p.part == 0 {
			continue
		}
		for from := (storage.UserTag{}); ; {
			page, err := view(ctx, s, "scan_users", func(t *txn) (userPage, error) { return readUsers(t, p.buckets, from, p.read) })
			if err != nil {
				return err
			}
			for _, r := range page.records {
				if err := each(r); err != nil {
					return err
				}
			}
			if !page.more {
				break
			}
			from = page.next
		}
	}
	return nil
}

// userPage is what one reading transaction of a scan has found.
type userPage struct {
	records []storage.Record
	next    storage.UserTag // where to go on
	more    bool
}

func readUsers(t *txn, buckets []bucketID, from storage.UserTag, read func(*txn, storage.UserTag) (storage.Record, error)) (userPage, error) {
	var page userPage
	for range scanUsers {
		user, found := t.firstUser(buckets, from)
		if !found {
			return page, nil
		}
		r, err := read(t, user)
		if err != nil {
			return page, err
		}
		if r != (storage.Record{}) {
			page.records = append(page.records, r)
		}
		if from, found = after(user); !found {
			return page, nil
		}
	}
	page.next, page.more = from, true
	return page, nil
}

// firstUser returns the first user, from a tag on, who has something in one of the buckets.
func (t *txn) firstUser(buckets []bucketID, from storage.UserTag) (first storage.UserTag, found bool) {
	for _, b := range buckets {
		k, _ := t.bucket(b).Cursor().Seek(from[:])
		if len(k) < len(first) {
			continue
		}
		if user := storage.UserTag(k[:len(first)]); !found || bytes.Compare(user[:], first[:]) < 0 {
			first, found = user, true
		}
	}
	return first, found
}

// after returns the tag that follows; false for the last one.
func after(user storage.UserTag) (storage.UserTag, bool) {
	for i := len(user) - 1; i >= 0; i-- {
		user[i]++
		if user[i] != 0 {
			return user, true
		}
	}
	return user, false
}

func readHeld(t *txn, user storage.UserTag) (storage.Record, error) {
	h := &storage.HeldRecord{User: user}
	p, found, err := t.profile(user)
	if err != nil {
		return storage.Record{}, err
	}
	if h.Profile, err = t.whole(user, p); err != nil {
		return storage.Record{}, err
	}
	err = t.eachFamily(user, func(f storage.Family) error {
		if !f.Dead(t.now) {
			h.Families = append(h.Families, f)
		}
		return nil
	})
	if err != nil {
		return storage.Record{}, err
	}
	slices.SortFunc(h.Families, byAge)
	err = t.scan(sessions, user[:], func(k, v []byte) error {
		var r sessionRecord
		if err := r.decode(v); err != nil {
			return err
		}
		if !r.over(t.now, 0) {
			h.Sessions = append(h.Sessions, r.session(user, storage.SessionID(k[len(user):])))
		}
		return nil
	})
	if err != nil || !found && len(h.Families)+len(h.Sessions) == 0 {
		return storage.Record{}, err
	}
	return storage.Record{Held: h}, nil
}

func readDenied(t *txn, user storage.UserTag) (storage.Record, error) {
	m, err := t.marks(user)
	if err != nil {
		return storage.Record{}, err
	}
	d := &storage.DeniedRecord{User: user, Before: m.before, Until: m.until, Issued: m.issued, Folded: m.folded}
	err = t.scan(denials, user[:], func(k, v []byte) error {
		kind := k[len(user)]
		if kind == kindMarks {
			return nil
		}
		var r denialRecord
		if err := r.decode(v); err != nil {
			return err
		}
		if !t.now.Before(r.until) {
			return nil
		}
		if kind > byte(storage.DenyClient) {
			return errNewerRecord
		}
		entry := storage.DenialEntry{
			Denial:  storage.Denial{Kind: storage.DenialKind(kind), Until: r.until},
			Attempt: r.attempt, Lived: r.lived, Reused: r.reused,
		}
		nameDenial(&entry.Denial, k[len(user)+1:], r)
		d.Entries = append(d.Entries, entry)
		return nil
	})
	if err != nil || len(d.Entries) == 0 && d.Before.IsZero() && d.Issued.IsZero() && d.Folded.IsZero() {
		return storage.Record{}, err
	}
	return storage.Record{Denied: d}, nil
}

func readCodes(t *txn, user storage.UserTag) (storage.Record, error) {
	c := &storage.CodesRecord{User: user}
	err := t.scan(codes, user[:], func(k, v []byte) error {
		var r codeRecord
		if err := r.decode(v); err != nil {
			return err
		}
		if !t.now.Before(r.expires) {
			return nil
		}
		var text bodyRecord
		if _, err := t.read(codeBodies, k, &text); err != nil {
			return err
		}
		c.Codes = append(c.Codes, storage.CodeEntry{
			ID: storage.CodeID(k[len(user):]), Session: r.session, Owner: r.owner, Body: bytes.Clone(text.body),
			Put: r.put, Expires: r.expires, Taken: r.taken, Attempt: r.attempt,
		})
		return nil
	})
	if err != nil || len(c.Codes) == 0 {
		return storage.Record{}, err
	}
	return storage.Record{Codes: c}, nil
}

// Held implements storage.Users.
func (s *Store) Held(ctx context.Context, user storage.UserTag) (storage.HeldRecord, error) {
	return view(ctx, s, "held", func(t *txn) (storage.HeldRecord, error) {
		r, err := readHeld(t, user)
		if err != nil || r.Held == nil {
			return storage.HeldRecord{User: user}, err
		}
		return *r.Held, nil
	})
}

// disabledKey names the entry of a user who is disabled.
func disabledKey(user storage.UserTag) []byte { return denialKey(user, byte(storage.DenyUser), nil) }

// disabled reports whether a user is.
func (t *txn) disabled(user storage.UserTag) (bool, error) {
	_, disabled, err := t.denial(disabledKey(user))
	return disabled, err
}

// disableUser ends all that the user has and refuses all that would begin.
func disableUser(t *txn, r storage.EndRequest) (storage.EndResult, error) {
	res, err := endUser(t, r)
	if err != nil {
		return res, err
	}
	return res, t.deny(disabledKey(r.User), denialRecord{until: storage.Forever, attempt: r.Attempt})
}

// Enable implements storage.Users. The entry is over from now on, and records
// who ended it until it is swept.
func (s *Store) Enable(ctx context.Context, user storage.UserTag, attempt storage.Attempt) (bool, error) {
	return decide(ctx, s, "enable", func(t *txn) (bool, error) {
		var d denialRecord
		found, err := t.read(denials, disabledKey(user), &d)
		if err != nil || !found {
			return false, err
		}
		if !t.now.Before(d.until) {
			return d.attempt == attempt, nil
		}
		t.put(denials, disabledKey(user), denialRecord{until: t.now.Truncate(time.Second), attempt: attempt}.encode())
		return true, nil
	})
}
