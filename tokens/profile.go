package tokens

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Profile is what the gateway knows about a person, kept in the store.
type Profile struct {
	Subject     string         // "<login>|<id>"
	Login       string         // the name of the login module; always that of the subject
	ACR         string         // how the person proved who they are; SignIn keeps it with the session
	AMR         []string       // in which ways, by RFC 8176 §2; SignIn keeps with the session those that fit into storage.MaxAMR
	Claims      map[string]any // name, nickname, email, email_verified, picture …
	Fingerprint storage.Fingerprint
	Before      storage.Fingerprint // that the last login has replaced, while it is held
	Groups      []storage.GroupTag  // that the configuration mentions
	// AsOf is when the facts were asked for, by the store's clock; zero in SignIn for
	// now. Older facts never replace newer ones.
	AsOf    time.Time
	Checked time.Time // when the login's provider last said so, in seconds; zero where there is none to be asked
}

// MaxClaims is how long the claims of a person may be as JSON, in bytes. Every refresh reads them.
const MaxClaims = 4 << 10

var (
	errLongClaims = fmt.Errorf("keeping profile: the person's claims take more than %d bytes: let the login return fewer or shorter ones", MaxClaims)
	errManyGroups = fmt.Errorf("keeping profile: the person is in more than %d groups that the configuration mentions: mention fewer", storage.MaxGroups)
)

// user returns the tag of the subject.
func (p *Profile) user() storage.UserTag { return storage.TagSubject(p.Subject) }

// record returns what the store keeps. The login is the subject's.
func (p *Profile) record() (storage.Profile, error) {
	r := storage.Profile{
		Subject: p.Subject, Fingerprint: p.Fingerprint,
		Person: storage.Person{AsOf: p.AsOf, Checked: p.Checked, Groups: storage.SortGroups(p.Groups)},
	}
	if len(r.Person.Groups) > storage.MaxGroups {
		return storage.Profile{}, errManyGroups
	}
	if len(p.Claims) == 0 {
		return r, nil
	}
	claims, err := json.Marshal(p.Claims)
	switch {
	case err != nil:
		return storage.Profile{}, fmt.Errorf("encoding profile: %w", err)
	case len(claims) > MaxClaims:
		return storage.Profile{}, errLongClaims
	}
	r.Person.Claims = claims
	return r, nil
}

// fittingAMR returns the ways in which a person proved who they are that fit into what is
// kept: each whole, and those that came first. One that is no plain word is left out.
func fittingAMR(amr []string) []string {
	var kept []string
	room := storage.MaxAMR + 1
	for _, way := range amr {
		plain := way != "" && !strings.ContainsFunc(way, func(r rune) bool { return r <= ' ' || r > '~' })
		if plain && len(way) < room {
			kept, room = append(kept, way), room-len(way)-1
		}
	}
	return kept
}

// parseProfile reads what record returned.
func parseProfile(r storage.Profile) (*Profile, error) {
	p := &Profile{
		Subject: r.Subject, Fingerprint: r.Fingerprint, Before: r.Before, Groups: slices.Clone(r.Person.Groups),
		AsOf: r.Person.AsOf, Checked: r.Person.Checked,
	}
	p.Login, _, _ = strings.Cut(p.Subject, "|")
	if len(r.Person.Claims) > 0 {
		if err := json.Unmarshal(r.Person.Claims, &p.Claims); err != nil {
			return nil, fmt.Errorf("reading profile: %w", err)
		}
	}
	return p, nil
}

// timeOrZero reads what unixOrZero wrote.
func timeOrZero(seconds int64) (t time.Time) {
	if seconds != 0 {
		t = time.Unix(seconds, 0)
	}
	return t
}

func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// MachineSubject returns the subject of a client that acts for itself. It
// cannot be a person's, since a person's has a "|" and a client_id has none.
func MachineSubject(clientID string) string { return clientID + "@clients" }
