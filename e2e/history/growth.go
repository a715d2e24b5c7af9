package history

import (
	"fmt"
	"slices"
	"time"
)

// Sample is what a process holds at a moment.
type Sample struct {
	At         time.Duration
	Goroutines float64
	Files      float64
	Heap       float64 // bytes that are in use just after a collection: garbage is no growth
}

// Limits say how much more a process may hold at the end than at the beginning.
type Limits struct {
	Goroutines, Files float64
	Heap              float64 // a share of the beginning
}

// Growth is I7. It compares the middle of the second fifth of the samples, when
// caches and pools have filled, with that of the last fifth, and returns what grew.
func Growth(samples []Sample, l Limits) []Violation {
	if len(samples) < 10 {
		return []Violation{{Promise: "I7", Text: fmt.Sprintf("%d samples are too few to tell", len(samples))}}
	}
	fifth := len(samples) / 5
	early, late := samples[fifth:2*fifth], samples[len(samples)-fifth:]
	var found []Violation
	for _, what := range []struct {
		name  string
		of    func(Sample) float64
		limit func(early float64) float64
	}{
		{"goroutines", func(s Sample) float64 { return s.Goroutines }, func(e float64) float64 { return e + l.Goroutines }},
		{"open files", func(s Sample) float64 { return s.Files }, func(e float64) float64 { return e + l.Files }},
		{"bytes of the heap", func(s Sample) float64 { return s.Heap }, func(e float64) float64 { return e * (1 + l.Heap) }},
	} {
		from, to := middle(early, what.of), middle(late, what.of)
		if to > what.limit(from) {
			found = append(found, Violation{Promise: "I7", Text: fmt.Sprintf("%s grew from %.0f to %.0f", what.name, from, to)})
		}
	}
	return found
}

func middle(samples []Sample, of func(Sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
