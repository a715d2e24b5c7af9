package keyring

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

func TestKeyRingMakesOneKeyPerAlgorithm(t *testing.T) {
	cell := &tokenstest.KeyCell{Clock: time.Now}
	log := &tokenstest.Events{}
	r := newRing(cell, tokenstest.Secrets(t, "a"), log, jose.ES256, jose.EdDSA)
	if _, err := r.Signers().Signer(jose.ES256); err == nil {
		t.Error("a ring that was not loaded signs")
	}
	if r.Verifier("x") != nil || len(r.Keys()) != 0 {
		t.Error("a ring that was not loaded has keys")
	}
	mustLoad(t, r)
	other := newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.ES256, jose.EdDSA)
	mustLoad(t, other)
	for _, alg := range []jose.Algorithm{jose.ES256, jose.EdDSA} {
		if id := signerID(t, r, alg); id != signerID(t, other, alg) || other.Verifier(id) == nil {
			t.Errorf("the nodes have other keys of %s", alg)
		}
	}
	if _, err := r.Signers().Signer(jose.RS256); err == nil {
		t.Error("there is a key for an algorithm that was not asked for")
	}
	if got := log.Count(oauth.EventKeyRotated); got != 2 {
		t.Errorf("%d events, want 2", got)
	}
	for _, k := range r.Keys() {
		if k.State != KeyCurrent {
			t.Errorf("key %+v", k)
		}
	}
	info, err := json.Marshal(r.Keys())
	if err != nil || strings.Contains(string(info)+string(r.JWKS()), `"d"`) {
		t.Errorf("private parts are shown: %s, %v", info, err)
	}
	if strings.Contains(string(cell.Value), "pkcs8") {
		t.Error("the stored keys are not sealed")
	}
}

// a key is published long before it signs, and as long as a token of it
// lives: who keeps the key set for minutes never meets an unknown one.
func TestKeyRingPublishesBeforeUseAndKeepsUntilDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cell := &tokenstest.KeyCell{Clock: time.Now}
		r := newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.EdDSA)
		mustLoad(t, r)
		first, epoch := signerID(t, r, jose.EdDSA), r.Epoch()
		pointer := r.Verifier(first)

		advance := func(d time.Duration) {
			t.Helper()
			time.Sleep(d)
			mustLoad(t, r)
		}
		advance(ringRotate - ringPublish - time.Second)
		if got := jwksIDs(t, r); len(got) != 1 || r.Epoch() != epoch {
			t.Fatalf("rotated too early: %v", got)
		}
		advance(time.Second)
		if got := jwksIDs(t, r); len(got) != 2 || r.Epoch() == epoch {
			t.Fatalf("the next key is not published: %v", got)
		}
		if states := r.Keys(); states[0].State != KeyCurrent || states[1].State != KeyNext {
			t.Errorf("states %+v", states)
		}
		advance(ringPublish - time.Second)
		if signerID(t, r, jose.EdDSA) != first {
			t.Fatal("the next key signs before it was published for PublishBefore")
		}
		time.Sleep(time.Second) // no tick: the time alone puts it to use
		second := signerID(t, r, jose.EdDSA)
		if second == first {
			t.Fatal("the next key does not sign")
		}
		if r.Verifier(first) != pointer {
			t.Error("the old key does not verify, or is another pointer")
		}
		if states := r.Keys(); states[0].State != KeyOld || states[1].State != KeyCurrent {
			t.Errorf("states %+v", states)
		}
		advance(ringKeep)
		if r.Verifier(first) == nil {
			t.Error("the old key is dropped while its last token lives")
		}
		epoch = r.Epoch()
		advance(keyMargin + time.Second)
		if r.Verifier(first) != nil || slices.Contains(jwksIDs(t, r), first) || r.Epoch() == epoch {
			t.Error("the old key is kept after its last token died")
		}
		if r.Verifier(second) == nil {
			t.Error("the key in use is dropped")
		}
	})
}

func TestKeyRingAfterALongPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cell := &tokenstest.KeyCell{Clock: time.Now}
		r := newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.EdDSA)
		mustLoad(t, r)
		first := signerID(t, r, jose.EdDSA)
		time.Sleep(10 * ringRotate)
		r = newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.EdDSA)
		mustLoad(t, r)
		if signerID(t, r, jose.EdDSA) != first || len(r.Keys()) != 2 {
			t.Error("an overdue key is replaced by one that nobody knows yet")
		}
	})
}

// KEY-10 of the attack list.
func TestKeyRingTwoNodesRotateAtOnce(t *testing.T) {
	for _, immediate := range []bool{false, true} {
		t.Run(map[bool]string{false: "published first", true: "immediate"}[immediate], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cell := &tokenstest.KeyCell{Clock: time.Now}
				a, b := newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.EdDSA), newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.EdDSA)
				mustLoad(t, a, b)
				first := signerID(t, a, jose.EdDSA)
				time.Sleep(time.Minute)

				// Both read before either writes.
				var gate sync.WaitGroup
				gate.Add(2)
				var reads atomic.Int64
				cell.OnRead = func() {
					if reads.Add(1) <= 2 {
						gate.Done()
						gate.Wait()
					}
				}
				var done sync.WaitGroup
				for _, r := range []*Ring{a, b} {
					done.Go(func() {
						if err := r.Rotate(t.Context(), immediate); err != nil {
							t.Error(err)
						}
					})
				}
				done.Wait()
				if got := jwksIDs(t, a); len(got) != 2 || !slices.Equal(got, jwksIDs(t, b)) {
					t.Fatalf("keys %v and %v, want the same two", got, jwksIDs(t, b))
				}
				if used := signerID(t, a, jose.EdDSA) != first; used != immediate || signerID(t, b, jose.EdDSA) != signerID(t, a, jose.EdDSA) {
					t.Errorf("the new key is used: %v", used)
				}
				if a.Verifier(first) == nil {
					t.Error("the old key does not verify")
				}
				// A rotation that waits is not made twice, and can be hurried.
				if err := b.Rotate(t.Context(), false); err != nil || immediate != (len(b.Keys()) == 3) {
					t.Errorf("%d keys, %v", len(b.Keys()), err)
				}
				pending := b.Keys()[len(b.Keys())-1]
				if err := b.Rotate(t.Context(), true); err != nil || signerID(t, b, jose.EdDSA) != pending.ID {
					t.Errorf("the published key is not put to use: %v", err)
				}
			})
		})
	}
}

func TestKeyRingCreatesOnceWhenNodesStartTogether(t *testing.T) {
	cell := &tokenstest.KeyCell{Clock: time.Now}
	rings := make([]*Ring, 4)
	var done sync.WaitGroup
	for i := range rings {
		rings[i] = newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.ES256)
		done.Go(func() {
			if err := rings[i].Load(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	for _, r := range rings {
		if len(r.Keys()) != 1 || signerID(t, r, jose.ES256) != signerID(t, rings[0], jose.ES256) {
			t.Error("nodes that start together have other keys")
		}
	}
}

func TestKeyRingSecretIsChangedInThreeDeploys(t *testing.T) {
	cell := &tokenstest.KeyCell{Clock: time.Now}
	log := &tokenstest.Events{}
	var id string
	for _, deploy := range [][]string{{"o"}, {"o", "n"}, {"n", "o"}, {"n"}} {
		r := newRing(cell, tokenstest.Secrets(t, deploy...), log, jose.EdDSA)
		mustLoad(t, r)
		if id == "" {
			id = signerID(t, r, jose.EdDSA)
		}
		if signerID(t, r, jose.EdDSA) != id {
			t.Errorf("with secrets %v the key is another", deploy)
		}
		// Loading seals nothing again: this deploy may yet be taken back.
		if sealedUnder := tokenstest.Secrets(t, deploy[len(deploy)-1]); len(deploy) > 1 && deploy[0] == "n" {
			if err := newRing(cell, sealedUnder, nil, jose.EdDSA).Load(t.Context()); err != nil {
				t.Errorf("after loading with secrets %v: %v", deploy, err)
			}
		}
		if err := r.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if log.Count(oauth.EventSecretFallback) != 1 || cell.Swaps.Load() != 2 {
		t.Errorf("sealed again %d times, %d writes", log.Count(oauth.EventSecretFallback), cell.Swaps.Load())
	}
	r := newRing(cell, tokenstest.Secrets(t, "o"), nil, jose.EdDSA)
	if err := r.Load(t.Context()); !errors.Is(err, storage.ErrWrongSecret) {
		t.Errorf("got %v, want ErrWrongSecret", err)
	}
	if cell.Swaps.Load() != 2 {
		t.Error("a node with another secret did damage")
	}
	if err := newRing(cell, nil, nil, jose.EdDSA).Load(t.Context()); err == nil {
		t.Error("loaded without a secret")
	}
}

func TestKeyRingRefusesANewerFormatAndDamage(t *testing.T) {
	under := tokenstest.Secrets(t, "a")
	for name, plain := range map[string]string{
		"newer":    `{"v":2,"keys":[]}`,
		"damaged":  `{`,
		"bad key":  `{"v":1,"keys":[{"kid":"k","alg":"ES256","pkcs8":"AAAA"}]}`,
		"bad alg":  `{"v":1,"keys":[{"kid":"k","alg":"none","pkcs8":""}]}`,
		"no value": ``,
	} {
		t.Run(name, func(t *testing.T) {
			cell := &tokenstest.KeyCell{Clock: time.Now, Value: under.Seal(secrets.PurposeSealKeys, []byte(plain), keysAAD), Version: 1}
			if err := newRing(cell, under, nil, jose.EdDSA).Load(t.Context()); err == nil || cell.Swaps.Load() > 0 {
				t.Errorf("got %v after %d writes", err, cell.Swaps.Load())
			}
		})
	}
}

// P4: the key of an algorithm that no node signs with any more goes when its last
// token is dead, which may live longer than those of today; and not before another
// node has stopped.
func TestKeyRingAlgorithmsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cell := &tokenstest.KeyCell{Clock: time.Now}
		secrets := tokenstest.Secrets(t, "a")
		first, other := newRing(cell, secrets, nil, jose.EdDSA, jose.ES256), newRing(cell, secrets, nil, jose.EdDSA, jose.ES256)
		mustLoad(t, first)
		mustLoad(t, other)
		gone := signerID(t, first, jose.ES256)
		without := Settings{Secrets: secrets, Algorithms: []jose.Algorithm{jose.EdDSA, jose.ES384}, RotateEvery: ringRotate, KeepFor: ringKeep / 2, PublishBefore: ringPublish}
		first.Configure(without)
		mustLoad(t, first)
		signerID(t, first, jose.ES384)
		if signerID(t, first, jose.ES256) != gone { // a configuration that is being replaced still asks
			t.Error("P4: the key is gone at once")
		}
		if state := stateOf(first, gone); state != KeyOld {
			t.Errorf("P4: it is %s", state)
		}
		for end := time.Now().Add(2 * (ringKeep + keyMargin)); time.Now().Before(end); time.Sleep(maxTick) {
			mustLoad(t, other)
			mustLoad(t, first)
		}
		if signerID(t, other, jose.ES256) != gone {
			t.Error("P4: the key is gone while another node signs with it")
		}
		other.Configure(without)
		mustLoad(t, other)
		mustLoad(t, first)
		time.Sleep(ringKeep + maxTick)
		mustLoad(t, other)
		if other.Verifier(gone) == nil {
			t.Error("P4: the key is gone while its last token lives")
		}
		time.Sleep(keyMargin)
		mustLoad(t, other)
		mustLoad(t, first)
		if other.Verifier(gone) != nil || first.Verifier(gone) != nil {
			t.Error("P4: the key of a former algorithm stays when its last token is dead")
		}
	})
}

// An algorithm that is asked for again goes on with the key that others know.
func TestKeyRingAlgorithmComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cell := &tokenstest.KeyCell{Clock: time.Now}
		secrets := tokenstest.Secrets(t, "a")
		r := newRing(cell, secrets, nil, jose.EdDSA, jose.ES256)
		mustLoad(t, r)
		key, set := signerID(t, r, jose.ES256), *r.settings.Load()
		less := set
		less.Algorithms = []jose.Algorithm{jose.EdDSA}
		r.Configure(less)
		mustLoad(t, r)
		time.Sleep(ringKeep)
		r.Configure(set)
		mustLoad(t, r)
		if signerID(t, r, jose.ES256) != key || stateOf(r, key) != KeyCurrent {
			t.Error("P4: it has another key")
		}
		time.Sleep(ringKeep)
		mustLoad(t, r)
		if signerID(t, r, jose.ES256) != key {
			t.Error("P4: its key is gone")
		}
	})
}

func stateOf(r *Ring, kid string) KeyState {
	for _, k := range r.Keys() {
		if k.ID == kid {
			return k.State
		}
	}
	return ""
}

// P4: many verifiers stop at a kind of key that they do not know, so RSA keys come first.
func TestKeyRingPublishesRSAFirst(t *testing.T) {
	r := newRing(&tokenstest.KeyCell{Clock: time.Now}, tokenstest.Secrets(t, "a"), nil, jose.ES256, jose.EdDSA, jose.PS256, jose.RS256)
	mustLoad(t, r)
	var set struct{ Keys []struct{ Alg string } }
	if err := json.Unmarshal(r.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range set.Keys {
		got = append(got, k.Alg)
	}
	if !slices.Equal(got, []string{"RS256", "PS256", "ES256", "EdDSA"}) {
		t.Errorf("P4: %v", got)
	}
}

func TestKeyRingRunAdoptsAndOutlivesTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cell := &tokenstest.KeyCell{Clock: time.Now}
		log := &tokenstest.Events{}
		a, b := newRing(cell, tokenstest.Secrets(t, "a"), log, jose.EdDSA), newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.EdDSA)
		mustLoad(t, a, b)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { a.Run(ctx); close(ended) }()

		if err := b.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		fresh := signerID(t, b, jose.EdDSA)
		if a.Verifier(fresh) != nil {
			t.Fatal("known before it was read")
		}
		synctest.Wait() // the unknown ID has woken Run
		if a.Verifier(fresh) == nil {
			t.Error("a key that another node uses at once is not found at once")
		}
		swaps := cell.Swaps.Load()
		for range 100 {
			a.Verifier("unknown")
			synctest.Wait()
		}

		cell.Fail.Store(true)
		time.Sleep(10 * time.Minute)
		if log.Count(oauth.EventStoreTrouble) == 0 || a.Verifier(fresh) == nil || len(a.JWKS()) == 0 {
			t.Error("an outage is silent, or takes the keys")
		}
		cell.Fail.Store(false)
		cell.Panics.Store(true)
		time.Sleep(10 * time.Minute)
		if log.Count(oauth.EventBackgroundRecovered) == 0 {
			t.Error("a panic is silent")
		}
		cell.Panics.Store(false)
		time.Sleep(5 * time.Minute)
		if err := b.Rotate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(maxTick)
		synctest.Wait()
		if !slices.Equal(jwksIDs(t, a), jwksIDs(t, b)) || cell.Swaps.Load() != swaps+1 {
			t.Error("Run does not go on after trouble")
		}
		cancel()
		<-ended
	})
}

func TestKeyRingUnknownKeysAskTheStoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cell := &tokenstest.KeyCell{Clock: time.Now}
		r := newRing(cell, tokenstest.Secrets(t, "a"), nil, jose.EdDSA)
		mustLoad(t, r)
		var reads atomic.Int64
		cell.OnRead = func() { reads.Add(1) }
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go r.Run(ctx)
		for range 1000 { // over ten seconds
			r.Verifier("unknown")
			time.Sleep(10 * time.Millisecond)
		}
		if got := reads.Load(); got > 3 {
			t.Errorf("%d reads in 10 s", got)
		}
	})
}

func TestKeyRingFollowsTheStoresClock(t *testing.T) {
	skew := time.Duration(0)
	cell := &tokenstest.KeyCell{Clock: func() time.Time { return time.Now().Add(skew) }}
	r := New(cell, nil, nil)
	skew = 2 * time.Hour // the store is ahead
	r.Configure(Settings{Secrets: tokenstest.Secrets(t, "a"), Algorithms: []jose.Algorithm{jose.EdDSA}})
	mustLoad(t, r)
	first := signerID(t, r, jose.EdDSA)
	if err := r.Rotate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if signerID(t, r, jose.EdDSA) != first || r.Keys()[1].State != KeyNext {
		t.Error("the next key is used before the store's time has come")
	}
	skew += DefaultPublishBefore
	mustLoad(t, r)
	if signerID(t, r, jose.EdDSA) == first {
		t.Error("the next key is not used when the store's time has come")
	}
}
