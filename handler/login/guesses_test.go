package login

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func TestGuesses(t *testing.T) {
	alice, bob := storage.TagSubject("local|alice"), storage.TagSubject("local|bob")
	now := time.Unix(1_800_000_000, 0)
	g := NewGuesses()
	apart(g.people, alice.String(), bob.String())
	apart(g.places, addressKey("192.0.2.1"), addressKey("198.51.100.7"), addressKey("2001:db8::1"))
	try := func(user storage.UserTag, address string) func() {
		t.Helper()
		undo, err := g.Begin(user, address, now)
		if wait := new(WaitError); err != nil && (!errors.As(err, &wait) || wait.After <= 0) {
			t.Fatal(err)
		}
		return undo
	}
	for range 20 {
		try(alice, "192.0.2.1")() // right each time
	}
	for range freePerPair {
		if try(alice, "192.0.2.1") == nil {
			t.Fatal("delayed too early")
		}
	}
	if try(alice, "192.0.2.1") != nil || try(alice, "198.51.100.7") != nil {
		t.Error("a person guesses on, here or elsewhere")
	}
	if try(bob, "192.0.2.1") == nil {
		t.Error("another person is held up")
	}
	taken := 0
	for i := 0; taken < freePerAddress && i < 2*freePerAddress; i++ { // a few may share a counter with alice
		if try(storage.TagSubject(fmt.Sprint(i)), "2001:db8::1") != nil {
			taken++
		}
	}
	if taken != freePerAddress {
		t.Errorf("%d accounts were tried from one network, want %d", taken, freePerAddress)
	}
	if try(bob, "2001:db8::2") != nil {
		t.Error("one network guesses on with many accounts")
	}
	now = now.Add(time.Hour)
	if try(alice, "192.0.2.1") == nil || try(bob, "2001:db8::2") == nil {
		t.Error("guesses are never forgotten")
	}
}
