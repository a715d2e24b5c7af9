package adminapi

import (
	"slices"
	"strings"
)

// nearest returns the name with the fewest slips between it and what was
// written, "" where all of them are other words.
func nearest(written string, names []string) string {
	near, least := "", 3 // as many slips are another word
	for _, name := range names {
		if slips := slipsBetween(strings.ToLower(written), strings.ToLower(name)); slips < least && slips < len(name) {
			near, least = name, slips
		}
	}
	return near
}

// slipsBetween counts the letters that are missing, too many, wrong, or have
// changed places, from one word to another.
func slipsBetween(a, b string) int {
	if len(a) > 256 || len(b) > 256 {
		return 256
	}
	var before, last []int // the rows before
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last = last, slices.Clone(row)
		row[0] = i + 1
		for j := range len(b) {
			wrong := last[j]
			if a[i] != b[j] {
				wrong++
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, wrong)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
