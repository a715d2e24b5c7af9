package once

import (
	"context"
	"testing"
	"time"
)

// S3: the second click comes while the first is still being decided, and its
// browser has hung up on the first.
func TestAtOnce(t *testing.T) {
	u := New[string](time.Second, time.Minute)
	ask, answer := make(chan struct{}), make(chan struct{})
	decided := 0
	decide := func() (string, error) {
		decided++
		close(ask)
		<-answer
		return "the one", nil
	}
	got := make(chan string)
	post := func() {
		a, err := u.Do(t.Context(), [16]byte{1}, time.Now, decide)
		if err != nil {
			got <- "no answer"
			return
		}
		got <- a
	}
	go post()
	<-ask
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if _, err := u.Do(gone, [16]byte{1}, time.Now, decide); err == nil {
		t.Error("who has hung up gets an answer")
	}
	for range 3 {
		go post()
	}
	close(answer)
	for range 4 {
		if code := <-got; code != "the one" {
			t.Errorf("answered %q", code)
		}
	}
	if decided != 1 {
		t.Errorf("decided %d times", decided)
	}
	// What failed is not used: the person can press the button again.
	fails := func() (string, error) { return "", context.DeadlineExceeded }
	works := func() (string, error) { return "done", nil }
	if _, err := u.Do(t.Context(), [16]byte{2}, time.Now, fails); err == nil {
		t.Error("no error")
	}
	if a, err := u.Do(t.Context(), [16]byte{2}, time.Now, works); err != nil || a != "done" {
		t.Errorf("after a failure: %v", err)
	}
}
