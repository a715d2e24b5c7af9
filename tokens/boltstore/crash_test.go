package boltstore

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	crashWorkers = 8
	crashCap     = 3 // MaxActive of every family
)

// TestKill kills a process that writes, at a random moment, again and again,
// and looks whether all that it had confirmed is there. A call that was under
// way may have happened or not.
func TestKill(t *testing.T) {
	rounds := 40
	if long {
		rounds = 200
	}
	if testing.Short() {
		rounds = 5
	}
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	confirmed := 0
	for round := range rounds {
		child, out := startChild(t, "write", path, fmt.Sprint(round))
		lines := make(chan []string)
		begun := make(chan struct{})
		go func() {
			var all []string
			begin := sync.OnceFunc(func() { close(begun) })
			for s := bufio.NewScanner(out); s.Scan(); begin() {
				all = append(all, s.Text())
			}
			begin()
			lines <- all
		}()
		<-begun
		time.Sleep(time.Duration(rand.Int64N(int64(40 * time.Millisecond))))
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		said := <-lines
		if len(said) == 0 {
			t.Fatalf("round %d: the process has ended before it wrote", round)
		}
		confirmed += len(said)
		checkConfirmed(t, path, said)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	t.Logf("%d rounds, %d confirmed writes", rounds, confirmed)
}

// writeUntilKilled writes as fast as it can and says what was confirmed, a line each.
func writeUntilKilled(path, round string) {
	s := New(Options{Path: path})
	s.sweepEvery = 5 * time.Millisecond
	if _, err := s.Open(context.Background(), openRequest); err != nil {
		panic(err)
	}
	for worker := range crashWorkers {
		go func() {
			user := storage.TagSubject(fmt.Sprint(round, "|", worker))
			w := &crashWriter{s: s, user: user}
			w.login()
			for {
				w.step()
			}
		}()
	}
	select {}
}

// crashWriter is one worker of the process that is killed.
type crashWriter struct {
	s    *Store
	user storage.UserTag
	n    int
}

func (w *crashWriter) say(what string, ids ...[16]byte) {
	line := what + " " + hex.EncodeToString(w.user[:])
	for _, id := range ids {
		line += " " + hex.EncodeToString(id[:])
	}
	if _, err := os.Stdout.WriteString(line + "\n"); err != nil {
		panic(err)
	}
}

func (w *crashWriter) id(kind string) [16]byte {
	return [16]byte(storage.TagSubject(fmt.Sprint(kind, w.n, hex.EncodeToString(w.user[:]))))
}

func (w *crashWriter) attempt() storage.Attempt {
	w.n++
	id := w.id("attempt")
	return storage.Attempt(id[:8])
}

func (w *crashWriter) login() {
	_, err := w.s.CreateSession(context.Background(), storage.SessionRequest{User: w.user, ID: storage.SessionID{1}, Lifetime: time.Hour, Profile: crashProfile})
	w.check(err)
	w.say("session")
}

func (w *crashWriter) check(err error) {
	if err != nil {
		panic(err)
	}
}

// step exchanges a code, rotates, denies a token, and ends every third family.
func (w *crashWriter) step() {
	ctx := context.Background()
	code := w.id("code")
	kept, err := w.s.PutCode(ctx, storage.PutRequest{User: w.user, ID: code, Session: storage.SessionID{1}, Body: []byte("body"), Lifetime: time.Hour})
	w.check(err)
	if kept != storage.PutKept {
		panic("a live session got no code")
	}
	w.say("put", code)
	_, err = w.s.TakeCode(ctx, storage.TakeRequest{User: w.user, ID: code, DenyFor: time.Hour, Attempt: w.attempt()})
	w.check(err)
	w.say("taken", code)

	family := w.id("family")
	res, err := w.s.CreateFamily(ctx, storage.CreateRequest{
		User: w.user, ID: family, Begun: time.Now(), Lifetime: time.Hour,
		MaxActive: crashCap, DenyFor: time.Hour, Attempt: w.attempt(),
	})
	w.check(err)
	created := [][16]byte{family}
	for _, id := range res.Evicted {
		created = append(created, id)
	}
	w.say("created", created...)
	for generation := range uint32(4) {
		res, err := w.s.Rotate(ctx, storage.RotateRequest{Fingerprints: []storage.Fingerprint{{}}, User: w.user, Family: family, Presented: generation + 1, Rotation: true, Lifetime: time.Hour, Attempt: w.attempt()})
		w.check(err)
		w.say("rotated", family, [16]byte{byte(res.Family.Generation)})
	}
	token := w.id("token")
	w.check(w.s.DenyToken(ctx, w.user, token, time.Now().Add(time.Hour)))
	w.say("denied", token)
	if w.n%3 == 0 {
		_, err := w.s.End(ctx, storage.EndRequest{User: w.user, Scope: storage.EndFamily, Family: family, DenyFor: time.Hour, Attempt: w.attempt()})
		w.check(err)
		w.say("ended", family)
	}
}

// confirmedState is what the lines of one user say.
type confirmedState struct {
	session     bool
	generations map[storage.FamilyID]byte
	ended       map[storage.FamilyID]bool
	put, taken  map[storage.CodeID]bool
	denied      map[storage.TokenID]bool
}

// readConfirmed reads the lines.
func readConfirmed(t *testing.T, lines []string) map[storage.UserTag]*confirmedState {
	t.Helper()
	users := map[storage.UserTag]*confirmedState{}
	for _, line := range lines {
		fields := strings.Fields(line)
		var ids [][16]byte
		for _, f := range fields[1:] {
			b, err := hex.DecodeString(f)
			if err != nil || len(b) != 16 {
				t.Fatalf("line %q", line)
			}
			ids = append(ids, [16]byte(b))
		}
		u := users[ids[0]]
		if u == nil {
			u = &confirmedState{
				generations: map[storage.FamilyID]byte{}, ended: map[storage.FamilyID]bool{},
				put: map[storage.CodeID]bool{}, taken: map[storage.CodeID]bool{}, denied: map[storage.TokenID]bool{},
			}
			users[ids[0]] = u
		}
		switch fields[0] {
		case "session":
			u.session = true
		case "put":
			u.put[ids[1]] = true
		case "taken":
			u.taken[ids[1]] = true
		case "created":
			u.generations[ids[1]] = 1
			for _, id := range ids[2:] {
				u.ended[id] = true
			}
		case "rotated":
			u.generations[ids[1]] = ids[2][0]
		case "denied":
			u.denied[ids[1]] = true
		case "ended":
			u.ended[ids[1]] = true
		}
	}
	return users
}

// checkConfirmed opens the file that the killed process has left.
func checkConfirmed(t *testing.T, path string, lines []string) {
	t.Helper()
	s := New(Options{Path: path})
	mustOpen(t, s)
	defer s.Close()
	if err := s.file.db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("the file is damaged: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for user, want := range readConfirmed(t, lines) {
		checkUser(t, s, user, want)
	}
}

// crashProfile is everybody's.
var crashProfile = storage.Profile{Subject: "local|alice", Person: storage.Person{AsOf: time.UnixMilli(1_800_000_000_123), Claims: []byte(`{"name":"Alice"}`)}}

func checkUser(t *testing.T, s *Store, user storage.UserTag, want *confirmedState) {
	t.Helper()
	ctx := t.Context()
	if _, p, found, err := s.Session(ctx, user, storage.SessionID{1}, 0, storage.ClientTag{}); want.session && (err != nil || !found || !reflect.DeepEqual(p, crashProfile)) {
		t.Errorf("session lost (%v)", err)
	}
	live, err := s.ListFamilies(ctx, user)
	if err != nil || len(live) > crashCap {
		t.Errorf("%d live families (%v), the cap is %d", len(live), err, crashCap)
	}
	denials, err := s.Denials(ctx, []storage.UserTag{user})
	if err != nil {
		t.Fatal(err)
	}
	inDenylist := func(kind storage.DenialKind, id [16]byte) bool {
		return slices.ContainsFunc(denials[0].Entries, func(d storage.Denial) bool { return d.Kind == kind && d.ID == id })
	}
	underWay := 0 // families that the unconfirmed call has ended
	for id, generation := range want.generations {
		i := slices.IndexFunc(live, func(f storage.Family) bool { return f.ID == id })
		switch {
		case want.ended[id]:
			if i >= 0 || !inDenylist(storage.DenyFamily, id) {
				t.Error("a family that was ended lives, or is not denied")
			}
		case i < 0:
			underWay++
			if !inDenylist(storage.DenyFamily, id) {
				t.Error("a family was lost, or ended without being denied")
			}
		case live[i].Generation != uint32(generation) && live[i].Generation != uint32(generation)+1:
			t.Errorf("family at generation %d, confirmed was %d", live[i].Generation, generation)
		}
	}
	if underWay > 1 {
		t.Errorf("%d families were ended by one call", underWay)
	}
	for id := range want.denied {
		if !inDenylist(storage.DenyToken, id) {
			t.Error("a denial was lost")
		}
	}
	unconfirmed := 0 // codes that the unconfirmed call has taken
	for id := range want.put {
		res, err := s.TakeCode(ctx, storage.TakeRequest{User: user, ID: id, DenyFor: time.Hour, Attempt: storage.Attempt{255}})
		switch {
		case err != nil || res.Outcome == storage.CodeUnknown:
			t.Errorf("a code was lost (%v)", err)
		case want.taken[id] && res.Outcome != storage.CodeSpent:
			t.Error("a spent code is good again")
		case !want.taken[id] && res.Outcome == storage.CodeSpent:
			unconfirmed++
		}
	}
	if unconfirmed > 1 {
		t.Errorf("%d codes were taken by one call", unconfirmed)
	}
}
