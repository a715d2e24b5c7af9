package redisstore

import (
	"embed"
	"path"
	"regexp"
	"slices"
	"testing"
)

// lua are the sources of the scripts.
//
//go:embed lua/*.lua
var lua embed.FS

// TestFlat: Redis makes the functions of a script anew each time it runs it, so the
// scripts have none at their left margin but these.
func TestFlat(t *testing.T) {
	made := map[string][]string{
		"create_family.lua":  {"issue_at", "older"},
		"create_session.lua": {"read_grants"},
		"end_recheck.lua":    {"deny"},
		"end.lua":            {"deny", "noted_roots", "read_grants", "settle", "tell"},
	}
	scripts, err := flat.ReadDir("flat")
	mustDo(t, err)
	functions := regexp.MustCompile(`(?m)^local function (\w+)`)
	for _, script := range scripts {
		text, err := flat.ReadFile(path.Join("flat", script.Name()))
		mustDo(t, err)
		var got []string
		for _, found := range functions.FindAllStringSubmatch(string(text), -1) {
			got = append(got, found[1])
		}
		if !slices.Equal(got, made[script.Name()]) {
			t.Errorf("%s makes the functions %v, want %v", script.Name(), got, made[script.Name()])
		}
	}
}
