package storage

import (
	"reflect"
	"testing"
	"time"
)

func TestPersonRecord(t *testing.T) {
	whole := Person{
		AsOf: time.UnixMilli(1_800_000_000_123), Checked: time.Unix(1_800_000_001, 0),
		Groups: SortGroups([]GroupTag{{2}, {1}, {2}}), Claims: []byte(`{"name":"Alice"}`),
	}
	if len(whole.Groups) != 2 || whole.Groups[0] != (GroupTag{1}) {
		t.Errorf("groups %v", whole.Groups)
	}
	for _, want := range []Person{whole, {AsOf: whole.AsOf, Checked: whole.Checked}, {AsOf: whole.AsOf, Groups: whole.Groups}, {}} {
		b, err := want.MarshalBinary()
		var got Person
		if err == nil {
			err = got.UnmarshalBinary(b)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, %v; wrote %+v", got, err, want)
		}
	}
	if b, err := (Person{AsOf: whole.AsOf}).MarshalBinary(); b != nil || err != nil {
		t.Errorf("of a person of whom nothing is known %q, %v was written", b, err)
	}
	if _, err := (Person{Groups: make([]GroupTag, MaxGroups+1)}).MarshalBinary(); err == nil {
		t.Error("too many groups were written")
	}
	b, _ := whole.MarshalBinary()
	for n := 1; n < personSize+16; n++ {
		if err := new(Person).UnmarshalBinary(b[:n]); err == nil {
			t.Errorf("%d of %d bytes were read", n, len(b))
		}
	}
	b[0]++
	if err := new(Person).UnmarshalBinary(b); err == nil {
		t.Error("a newer record was read")
	}
}
