package tokens_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// R5: a file that is gone is one alarm, and again one when it happens again.
func TestR5LossIsToldOnce(t *testing.T) {
	inBubble(t, func(w *watched) {
		for n := range 2 {
			for outcome, lost := range map[tokens.Outcome]error{tokens.StoreRemoved: tokens.ErrStoreRemoved, tokens.StoreReplaced: tokens.ErrStoreReplaced} {
				w.store.feel(func(b tokens.Beat) (tokens.Beat, error) { return b, fmt.Errorf("the store x.db: %w", lost) })
				w.beat()
				w.beat()
				w.wantHealth(tokens.TroubleStore)
				w.wantEvents(tokens.EventStoreNew, outcome, n+1)
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
		w.wantEvents(tokens.EventClockSkew, "", 0)
		w.store.feel(func(b tokens.Beat) (tokens.Beat, error) { b.Now = b.Now.Add(40 * 24 * time.Hour); return b, nil })
		w.beat()
		w.beat()
		w.wantEvents(tokens.EventClockSkew, tokens.ClockSet, 1)
		w.wantHealth(tokens.TroubleClock)
		w.store.feel(nil)
		w.beat()
		w.wantEvents(tokens.EventClockSkew, tokens.ClockSet, 2)
		w.wantHealth("")
	})
}
