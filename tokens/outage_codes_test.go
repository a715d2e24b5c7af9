package tokens_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestR1Code: the answer to the exchange of a code is lost, once where the code is
// taken and once where the family begins. The client that comes again gets its
// tokens, and whoever comes then ends them.
func TestR1Code(t *testing.T) {
	g, store := onLossyFile(t)
	code := g.code()
	for _, broken := range []*atomic.Bool{&store.away, &store.lost} {
		broken.Store(true)
		for range 2 {
			_, err := g.token("spa", codeRequest(code))
			refused(t, err, oauth.TemporarilyUnavailable, "")
			g.pass(10 * time.Second)
		}
		broken.Store(false)
	}
	res := g.mustToken("spa", codeRequest(code))
	next := g.refreshOK(res.RefreshToken)
	g.pass(2 * time.Second)
	_, err := g.token("spa", codeRequest(code))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
	g.refusedRefresh(next.RefreshToken, oauth.ReasonUnknown)
}

// TestR1CodeTooLate: a client that comes again when its code has long expired may be
// refused, but is no thief: nothing ends, and nobody is alarmed.
func TestR1CodeTooLate(t *testing.T) {
	g, store := onLossyFile(t)
	code := g.code()
	store.lost.Store(true)
	_, err := g.token("spa", codeRequest(code))
	refused(t, err, oauth.TemporarilyUnavailable, "")
	store.lost.Store(false)
	g.pass(10 * time.Minute)
	if _, err := g.token("spa", codeRequest(code)); err != nil {
		refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
	}
	if n := g.events.count(oauth.EventCodeReuse, ""); n != 0 {
		t.Fatalf("%d alarms", n)
	}
}

// TestR1CodeAtOnce: of those who come again with one code at once, one gets tokens.
func TestR1CodeAtOnce(t *testing.T) {
	g, store := onLossyFile(t)
	code := g.code()
	store.lost.Store(true)
	_, err := g.token("spa", codeRequest(code))
	refused(t, err, oauth.TemporarilyUnavailable, "")
	store.lost.Store(false)
	var got atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := g.token("spa", codeRequest(code)); err == nil {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	if got.Load() != 1 {
		t.Errorf("%d got tokens", got.Load())
	}
}

// TestR1Device: as TestR1Code, for a device.
func TestR1Device(t *testing.T) {
	g, store := onLossyFile(t, withTV)
	l, _ := g.signIn(alice)
	d := g.device()
	g.approve(d, l)
	store.lost.Store(true)
	_, err := g.poll(d)
	refused(t, err, oauth.TemporarilyUnavailable, "")
	store.lost.Store(false)
	g.pass(time.Minute)
	if _, err := g.poll(d); err != nil {
		t.Fatal(err)
	}
	g.pass(time.Minute)
	_, err = g.poll(d)
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
}
