package identity

import (
	"net/http"
	"slices"
)

// Takers are the sets of names that the guards of one request have taken out of it, and may
// have set since. The zero value is that of a request that has met none; a nil *Takers serves
// where there is one guard at most. Each guard has one set, and is known by its address.
type Takers struct {
	taken []*Names
	room  [2]*Names // where taken lies, as far as it has room
}

// TakeOut takes the names of a guard out of a request, but those that an earlier one has
// taken out: that one may have set them.
func (t *Takers) TakeOut(r *http.Request, own *Names) {
	switch {
	case own.None():
		return
	case t == nil:
		own.TakeOut(r)
		return
	case len(t.taken) == 0:
		own.TakeOut(r)
		t.taken = t.room[:0]
	case slices.Contains(t.taken, own):
		return
	default:
		left := *own
		for _, earlier := range t.taken {
			left = left.Without(earlier)
		}
		left.TakeOut(r)
	}
	t.taken = append(t.taken, own)
}

// Replace takes out what other guards than that of own have set under the names of set: its
// guard says what they mean from here on.
func (t *Takers) Replace(r *http.Request, own, set *Names) {
	if t == nil {
		return
	}
	for _, earlier := range t.taken {
		if earlier != own && set.Overlaps(earlier) {
			set.TakeOut(r)
			return
		}
	}
}
