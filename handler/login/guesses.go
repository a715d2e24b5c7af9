package login

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Guesses slows down who guesses user codes of devices: each person, and each
// address, for those who have several accounts. See RFC 8628 §5.1.
type Guesses struct{ people, places *limiter }

// NewGuesses makes a Guesses. A person may be wrong as often as with a password.
func NewGuesses() *Guesses {
	return &Guesses{people: newLimiter(freePerPair), places: newLimiter(freePerAddress)}
}

// Begin asks for one try and counts it as wrong until undo says that it was
// right. The error is a *WaitError.
func (g *Guesses) Begin(person storage.UserTag, address string, now time.Time) (undo func(), err error) {
	wait, place := g.places.begin(addressKey(address), now)
	if wait > 0 {
		return nil, &WaitError{After: wait}
	}
	wait, one := g.people.begin(person.String(), now)
	if wait > 0 {
		place()
		return nil, &WaitError{After: wait}
	}
	return func() { place(); one() }, nil
}

// BeginAt is Begin for who guesses something that no person has.
func (g *Guesses) BeginAt(address string, now time.Time) (undo func(), err error) {
	wait, undo := g.places.begin(addressKey(address), now)
	if wait > 0 {
		return nil, &WaitError{After: wait}
	}
	return undo, nil
}

// Place names the network that an address belongs to, as far as one customer
// has it: limits count by it.
func Place(address string) string { return addressKey(address) }
