package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCurrent holds the scripts that Redis runs to their sources.
func TestCurrent(t *testing.T) {
	scripts, err := flattenAll("../lua")
	if err != nil {
		t.Fatal(err)
	}
	there, err := filepath.Glob("../flat/*.lua")
	if err != nil {
		t.Fatal(err)
	}
	if len(there) != len(scripts) {
		t.Errorf("there are %d scripts, want %d: %v", len(there), len(scripts), slices.Sorted(maps.Keys(scripts)))
	}
	for name, want := range scripts {
		if got, err := os.ReadFile(filepath.Join("../flat", name)); err != nil || string(got) != want {
			t.Errorf("flat/%s is not what lua/ says (%v): run go generate ./tokens/redisstore", name, err)
		}
	}
}

// flattenText flattens a decision that uses a part, and returns what is behind its head.
func flattenText(t *testing.T, part, decision string) (string, error) {
	t.Helper()
	l := &library{functions: make(map[string]*function), paragraphs: make(map[string]*paragraph)}
	f, err := parse("part.lua", "-- Part: one.\n\n"+part)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.add(f); err != nil {
		t.Fatal(err)
	}
	d, err := parse("decision.lua", "-- Decides.\n\n"+decision)
	if err != nil {
		t.Fatal(err)
	}
	text, err := flattened(l, d)
	_, text, _ = strings.Cut(text, "-- Decides.\n\n")
	return text, err
}

func TestFlattened(t *testing.T) {
	for _, c := range []struct{ name, part, decision, want string }{
		{
			"a call becomes a block",
			"local ONE = 1\n\n-- next is the number behind.\nlocal function next(n)\n  return n + ONE\nend\n",
			"local a = next(2)\nreturn a\n",
			"local ONE = 1\n\n-- next is the number behind.\nlocal a do -- next(2)\n  local n = 2\n  a = n + ONE\nend\nreturn a\n",
		},
		{
			"an early return leaves the block",
			"local function sign(n)\n  if n < 0 then return -1 end\n  return 1\nend\n",
			"local s = sign(ARGV[1])\nreturn s\n",
			"local s repeat -- sign(ARGV[1])\n  local n = ARGV[1]\n  if n < 0 then s = -1 break end\n  s = 1\nuntil true\nreturn s\n",
		},
		{
			"what is not used is not there",
			"local ONE = 1\n\nlocal TWO = 2\n\nlocal function three()\n  return ONE\nend\n",
			"return TWO\n",
			"local TWO = 2\n\nreturn TWO\n",
		},
		{
			"a name of the function that is the target's",
			"local function read(v)\n  local d = { v }\n  return d\nend\n",
			"local d = read(1)\nreturn d\n",
			"local read_result do -- read(1)\n  local v = 1\n  local d = { v }\n  read_result = d\nend\nlocal d = read_result\nreturn d\n",
		},
		{
			"a call in a condition",
			"local function drop(key)\n  redis.call('DEL', key)\nend\n",
			"if ARGV[1] then drop(KEYS[1]) end\n",
			"if ARGV[1] then\n  do -- drop(KEYS[1])\n    local key = KEYS[1]\n    redis.call('DEL', key)\n  end\n" +
				"end\n",
		},
		{
			"a call in an expression",
			"local function next(n)\n  return n + 1\nend\n",
			"return next(2) + 1\n",
			"local function next(n)\n  return n + 1\nend\n\nreturn next(2) + 1\n",
		},
		{
			"a return out of a loop",
			"local function find(list)\n  for i = 1, #list do\n    if list[i] then return i end\n" +
				"  end\n  return 0\nend\n",
			"local at = find(KEYS)\nreturn at\n",
			"local function find(list)\n  for i = 1, #list do\n    if list[i] then return i end\n" +
				"  end\n  return 0\nend\n\nlocal at = find(KEYS)\nreturn at\n",
		},
		{
			"a parameter that is changed",
			"local function half(n)\n  n = n / 2\n  return n\nend\n",
			"local n = 4\nlocal h = half(n)\nreturn n + h\n",
			"local n = 4\nlocal h do -- half(n)\n  local n = n\n" +
				"  n = n / 2\n  h = n\nend\nreturn n + h\n",
		},
		{
			"a function made there keeps its returns",
			"local function sorted(list)\n  table.sort(list, function(a, b)\n    return a > b\n  end)\n  return list\nend\n",
			"local s = sorted(ARGV)\nreturn s\n",
			"local s do -- sorted(ARGV)\n  local list = ARGV\n  table.sort(list, function(a, b)\n    return a > b\n  end)\n  s = list\nend\nreturn s\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := flattenText(t, c.part, c.decision)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("flattened:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// TestHiddenNames: the body of a function must mean the same wherever it stands.
func TestHiddenNames(t *testing.T) {
	const part = "local ONE = 1\n\nlocal function next(n)\n  return n + ONE\nend\n"
	for name, decision := range map[string]string{
		"of a part":          "local ONE = 2\nlocal a = next(1)\nreturn a\n",
		"of a part, inside":  "if ARGV[1] then\n  local ONE = 2\nend\n",
		"of the decision":    "local a = 1\n\nlocal function b()\n  local a = 2\n  return a\nend\n\nlocal c = b()\nreturn c\n",
		"of a loop's own":    "local a = 1\nif a then\n  for a = 1, 2 do next(a) end\n" + "end\n",
		"of a function":      "local next = 1\nreturn next\n",
		"of a parameter, so": "local a = 1\n\nlocal function b(a)\n  return a\nend\n\nlocal c = b(2)\nreturn c\n",
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := flattenText(t, part, decision); err == nil {
				t.Errorf("flattened, though a name is hidden:\n%s", text)
			}
		})
	}
}
