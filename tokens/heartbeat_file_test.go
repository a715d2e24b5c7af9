package tokens_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// R5: a file that is gone is one alarm, and again one when it happens again.
func TestR5LossIsToldOnce(t *testing.T) {
	inBubble(t, func(w *watched) {
		for n := range 2 {
			for outcome, lost := range map[oauth.Outcome]error{oauth.StoreRemoved: storage.ErrStoreRemoved, oauth.StoreReplaced: storage.ErrStoreReplaced} {
				w.store.feel(func(b storage.Beat) (storage.Beat, error) { return b, fmt.Errorf("the store x.db: %w", lost) })
				w.beat()
				w.beat()
				w.wantHealth(oauth.TroubleStore)
				w.wantEvents(oauth.EventStoreNew, outcome, n+1)
				w.store.feel(nil)
				w.beat()
				w.wantHealth("")
			}
		}
	})
}

// R7: a store whose own time jumps is an alarm, whatever this node's clock says.
func TestR7StoreTimeJumps(t *testing.T) {
	inBubble(t, func(w *watched) {
		w.beat()
		w.beat()
		w.wantEvents(oauth.EventClockSkew, "", 0)
		w.store.feel(func(b storage.Beat) (storage.Beat, error) { b.Now = b.Now.Add(40 * 24 * time.Hour); return b, nil })
		w.beat()
		w.beat()
		w.wantEvents(oauth.EventClockSkew, oauth.ClockSet, 1)
		w.wantHealth(oauth.TroubleClock)
		w.store.feel(nil)
		w.beat()
		w.wantEvents(oauth.EventClockSkew, oauth.ClockSet, 2)
		w.wantHealth("")
	})
}
