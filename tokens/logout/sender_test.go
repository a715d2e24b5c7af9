package logout

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// outbox is a store of logouts in memory. What the real ones do, storetest says.
type outbox struct {
	mu      sync.Mutex
	down    bool
	other   bool // another node sends
	waiting map[storage.ClientTag]*logoutEntry
	takes   int
	putOffs int
	broken  error // comes beside what is taken
}

type logoutEntry struct {
	storage.Logout

	due     time.Time
	attempt storage.Attempt
}

var errDown = errors.New("down")

func (o *outbox) ExpectLogouts(context.Context, storage.ExpectRequest) error { return nil }

func (o *outbox) LeaseSender(context.Context, storage.NodeMark, time.Duration) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return false, errDown
	}
	return !o.other, nil
}

func (o *outbox) TakeLogouts(_ context.Context, r storage.TakeLogouts) (taken storage.TakenLogouts, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.takes++
	if o.down {
		return taken, errDown
	}
	for _, l := range o.waiting {
		if !l.due.After(time.Now()) {
			l.due, l.attempt = time.Now().Add(r.Lease), r.Attempt
			taken.Logouts = append(taken.Logouts, l.Logout)
		}
	}
	return taken, o.broken
}

func (o *outbox) DoneLogout(_ context.Context, r storage.DoneLogout) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.waiting[storage.ClientTag(r.Root)]
	if l == nil || l.attempt != r.Attempt {
		return nil
	}
	if r.After < 0 {
		delete(o.waiting, storage.ClientTag(r.Root))
		return nil
	}
	if l.due = time.Now().Add(r.After); r.Tried {
		l.Tries++
	} else {
		o.putOffs++
	}
	return nil
}

// put puts a logout into it, each of a session of its own.
func (o *outbox) put(n byte, client storage.ClientTag) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting[storage.ClientTag{n}] = &logoutEntry{Logout: storage.Logout{Root: storage.SessionID{n}, Client: client, Subject: "local|alice", Since: time.Now()}}
}

func (o *outbox) left() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting)
}

// heard counts events.
type heard struct {
	oauth.NopObserver

	mu   sync.Mutex
	seen map[oauth.Outcome]int
}

func (h *heard) Happened(_ context.Context, e oauth.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen[e.Outcome]++
}

var wiki, shop, gone = storage.TagClient("wiki"), storage.TagClient("shop"), storage.TagClient("gone")

// sending runs a Sender over an outbox in a bubble of time.
func sending(t *testing.T, deliver Deliver, run func(t *testing.T, o *outbox, h *heard)) {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		o, h := &outbox{waiting: make(map[storage.ClientTag]*logoutEntry)}, &heard{seen: make(map[oauth.Outcome]int)}
		var next atomic.Uint32
		s := NewSender(Config{
			Issuer: "https://auth.example.com/", Outbox: o, Wake: make(chan struct{}), Deliver: deliver, Observer: h, Now: time.Now,
			Attempt:   func() storage.Attempt { return storage.Attempt{byte(next.Add(1))} },
			Receivers: map[storage.ClientTag]Receiver{wiki: {ClientID: "wiki", Alg: jose.ES256}, shop: {ClientID: "shop", Alg: jose.ES256}},
			Signer:    func(jose.Algorithm) (*jose.PrivateKey, error) { return key, nil },
			Random:    func() ([16]byte, error) { return [16]byte{byte(next.Add(1))}, nil },
		})
		s.Start()
		defer s.Close()
		run(t, o, h)
	})
}

// WEB-19: what a logout token is. H9: each attempt has a new one.
func TestWEB19LogoutToken(t *testing.T) {
	var mu sync.Mutex
	var sent []string
	sending(t, func(_ context.Context, _ Receiver, token string) error {
		mu.Lock()
		defer mu.Unlock()
		if sent = append(sent, token); len(sent) < 3 {
			return errors.New("not yet")
		}
		return nil
	}, func(t *testing.T, o *outbox, h *heard) {
		began := time.Now()
		o.put(1, wiki)
		time.Sleep(time.Minute)
		if o.left() != 0 || len(sent) != 3 || h.seen[oauth.OutcomeFailed] != 2 || h.seen[oauth.OutcomeOK] != 1 {
			t.Fatalf("%d left, %d sent, events %v", o.left(), len(sent), h.seen)
		}
		ids := make(map[any]bool)
		for i, token := range sent {
			c, err := jose.ParseCompact(token)
			if err != nil || c.Header.Typ != "logout+jwt" || c.Header.Alg != "ES256" {
				t.Fatalf("token %d: %+v, %v", i, c.Header, err)
			}
			payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
			var claims map[string]any
			if err := json.Unmarshal(payload, &claims); err != nil {
				t.Fatal(err)
			}
			events, _ := json.Marshal(claims["events"])
			iat, exp := claims["iat"].(float64), claims["exp"].(float64)
			if claims["iss"] != "https://auth.example.com/" || claims["aud"] != "wiki" || claims["sub"] != "local|alice" || claims["sid"] != (storage.SessionID{1}).String() ||
				string(events) != `{"http://schemas.openid.net/event/backchannel-logout":{}}` || claims["nonce"] != nil || exp-iat != 120 || iat < float64(began.Unix()) {
				t.Errorf("token %d: %v", i, claims)
			}
			ids[claims["jti"]] = true
		}
		if len(ids) != 3 {
			t.Error("attempts share a token")
		}
	})
}

// H9: tries at 0, 5, 30 s, 5 min and 1 h, then it is dropped and counted.
func TestH9Retries(t *testing.T) {
	var at []time.Duration
	var began time.Time
	sending(t, func(context.Context, Receiver, string) error {
		at = append(at, time.Since(began).Round(time.Second))
		return errors.New("status 500")
	}, func(t *testing.T, o *outbox, h *heard) {
		time.Sleep(1500 * time.Millisecond)
		began = time.Now()
		o.put(1, wiki)
		o.put(2, gone) // a client that this node knows nothing of: nobody has tried
		time.Sleep(3 * time.Hour)
		want := []time.Duration{0, 5 * time.Second, 35 * time.Second, 335 * time.Second, time.Hour + 335*time.Second}
		if len(at) != len(want) {
			t.Fatalf("tried at %v", at)
		}
		for i := range want {
			if late := at[i] - want[i]; late < 0 || late > 6*time.Second {
				t.Errorf("try %d at %v, want %v", i+1, at[i], want[i])
			}
		}
		left := o.left()
		o.mu.Lock()
		defer o.mu.Unlock()
		h.mu.Lock()
		defer h.mu.Unlock()
		if left != 1 || o.waiting[storage.ClientTag{2}].Tries != 0 || o.putOffs > 60 || h.seen[oauth.OutcomeDropped] != 1 || h.seen[oauth.OutcomeFailed] != 4 {
			t.Errorf("%d left, events %v", left, h.seen)
		}
	})
}

// H9 (d): a client that hangs holds up nobody, and gets no more than four at once.
func TestH9SlowClient(t *testing.T) {
	var mu sync.Mutex
	flying, most := 0, 0
	var told []time.Duration
	var began time.Time
	sending(t, func(ctx context.Context, to Receiver, _ string) error {
		if to.ClientID == "shop" {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, time.Since(began))
			return nil
		}
		mu.Lock()
		flying++
		most = max(most, flying)
		mu.Unlock()
		<-ctx.Done()
		mu.Lock()
		defer mu.Unlock()
		flying--
		return ctx.Err()
	}, func(t *testing.T, o *outbox, _ *heard) {
		time.Sleep(1500 * time.Millisecond)
		began = time.Now()
		for n := range byte(150) {
			o.put(n, wiki)
		}
		o.put(200, shop)
		time.Sleep(20 * time.Second)
		mu.Lock()
		if most != maxInFlight {
			t.Errorf("%d in flight", most)
		}
		if len(told) != 1 || told[0] > lookEvery {
			t.Errorf("the other client is told after %v", told)
		}
		mu.Unlock()
		time.Sleep(10 * time.Minute)
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.putOffs > 1500 {
			t.Errorf("what waits for it was put off %d times", o.putOffs)
		}
	})
}

// What the store could take is sent, whatever it could not.
func TestH9TakenBesideAnError(t *testing.T) {
	sending(t, func(context.Context, Receiver, string) error { return nil }, func(t *testing.T, o *outbox, _ *heard) {
		o.mu.Lock()
		o.broken = errDown
		o.mu.Unlock()
		o.put(1, wiki)
		time.Sleep(2 * lookEvery)
		if o.left() != 0 {
			t.Error("what was taken is not sent")
		}
	})
}

// One node sends; a store that is away is asked again.
func TestH9OneSender(t *testing.T) {
	var sent atomic.Int64
	sending(t, func(context.Context, Receiver, string) error { sent.Add(1); return nil }, func(t *testing.T, o *outbox, _ *heard) {
		o.mu.Lock()
		o.other = true
		o.mu.Unlock()
		time.Sleep(time.Minute) // the lease of the beginning runs out
		o.mu.Lock()
		before := o.takes
		o.mu.Unlock()
		o.put(1, wiki)
		time.Sleep(time.Minute)
		o.mu.Lock()
		if sent.Load() != 0 || o.takes != before {
			t.Error("two nodes send")
		}
		o.other, o.down = false, true
		o.mu.Unlock()
		time.Sleep(time.Minute)
		o.mu.Lock()
		o.down = false
		o.mu.Unlock()
		time.Sleep(2 * leaseEvery)
		if sent.Load() != 1 || o.left() != 0 {
			t.Errorf("%d sent, %d left", sent.Load(), o.left())
		}
	})
}
