package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var pulseCases = []testCase{{"beat", pulseBeat}}

func pulseBeat(t *testing.T, f *fixture) {
	opened := f.open(secret)
	before := f.now()
	beat := Must(f.s.Beat(f.ctx(), storage.BeatRequest{}))(t)
	if after := f.now(); beat.Now.Before(before) || beat.Now.After(after) || !beat.Born.Equal(opened.Born) {
		t.Errorf("beat %+v; born %v, asked between %v and %v", beat, opened.Born, before, after)
	}
	f.pass(2 * time.Second)
	if later := Must(f.s.Beat(f.ctx(), storage.BeatRequest{}))(t); later.Now.Sub(beat.Now) < 2*time.Second || later.Failovers != 0 {
		t.Errorf("two seconds later: %+v, was %+v", later, beat)
	}
	NoError(t, f.s.Close())
	if beat, err := f.s.Beat(f.ctx(), storage.BeatRequest{}); err == nil {
		t.Errorf("beat of a closed store: %+v", beat)
	}
}
