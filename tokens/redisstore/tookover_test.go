package redisstore

import "testing"

func TestTookOver(t *testing.T) {
	type seen struct {
		place string
		history
		want bool
	}
	const none = continuesNone
	tests := []struct {
		name string
		seen []seen
	}{
		{"the first server", []seen{{anywhere, history{"r1", "a", none}, false}}},
		{"the same again", []seen{{anywhere, history{"r1", "a", none}, false}, {anywhere, history{"r1", "a", none}, false}}},
		{"it gets its first replica", []seen{{anywhere, history{"r1", "a", none}, false}, {anywhere, history{"r1", "b", none}, false}}},
		{"it starts anew", []seen{{anywhere, history{"r1", "a", none}, false}, {anywhere, history{"r2", "b", none}, true}}},
		{"it starts anew and goes on with its history", []seen{{anywhere, history{"r1", "a", none}, false}, {anywhere, history{"r2", "a", none}, false}}},
		{"its replica takes over", []seen{{anywhere, history{"r1", "a", none}, false}, {anywhere, history{"r2", "b", "a"}, true}}},
		{"a replica takes over and back", []seen{
			{anywhere, history{"r1", "a", none}, false}, {anywhere, history{"r2", "b", "a"}, true}, {anywhere, history{"r1", "c", "b"}, true},
		}},
		{"one process, promoted since", []seen{{anywhere, history{"r1", "a", none}, false}, {anywhere, history{"r1", "b", "a"}, true}}},
		{"another place of a Cluster", []seen{{"one", history{"r1", "a", none}, false}, {"two", history{"r2", "b", none}, false}}},
		{"a replica in a Cluster, at its own place", []seen{
			{"one", history{"r1", "a", none}, false},
			{"two", history{"r2", "b", none}, false},
			{"three", history{"r3", "c", "a"}, true},
			{"two", history{"r2", "b", none}, false},
			{"three", history{"r3", "c", "a"}, false},
		}},
		{"a replica that was promoted before we came", []seen{{"three", history{"r3", "c", "a"}, false}, {"two", history{"r2", "b", none}, false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p primariesSeen
			for i, s := range tt.seen {
				if got := p.tookOver(s.place, s.history); got != s.want {
					t.Errorf("sighting %d, %+v at %q: took over %v, want %v", i, s.history, s.place, got, s.want)
				}
			}
		})
	}
}
