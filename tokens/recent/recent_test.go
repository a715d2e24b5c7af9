package recent

import (
	"strconv"
	"testing"
)

// TestMemory: what is used stays, what is not goes, and there is a bound.
func TestMemory(t *testing.T) {
	t.Parallel()
	m := New[int](10)
	m.Put("used", 1)
	for i := range 1000 {
		m.Put(strconv.Itoa(i), i)
		if v, ok := m.Get("used"); !ok || v != 1 {
			t.Fatalf("what is used at each step is forgotten after %d", i)
		}
	}
	held := 0
	for i := range 1000 {
		if _, ok := m.Get(strconv.Itoa(i)); ok {
			held++
		}
	}
	if held < 8 || held > 20 {
		t.Errorf("%d things are remembered, want 10 to 20", held)
	}
	m.Put("used", 2)
	if v, _ := m.Get("used"); v != 2 {
		t.Errorf("the value is %d, and was replaced by 2", v)
	}
}
