package gatehouse_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/gatehouse-auth/gatehouse"

// layer is a folder, the packages below it included, and what its code must not import.
type layer struct {
	folder string
	except []string // folders below it with a rule of their own
	deny   []string // import paths, and all below them
	allow  []string // import paths that deny covers and that are fine
}

var (
	caddyItself = "github.com/caddyserver"
	bbolt       = "go.etcd.io/bbolt"
	redis       = "github.com/redis"
	jwx         = "github.com/lestrrat-go"
	handlers    = modulePath + "/handler"
	cobra       = "github.com/spf13"
	commandLine = modulePath + "/caddymodule/command"
	stores      = []string{modulePath + "/tokens/boltstore", modulePath + "/tokens/redisstore", modulePath + "/tokens/storetest"}
)

// layers is the import rule: caddymodule -> handler -> tokens <- its stores, and
// caddymodule/command -> caddymodule -> caddymodule/adminapi.
var layers = []layer{
	{
		folder: "tokens", except: []string{"tokens/jose", "tokens/boltstore", "tokens/redisstore"},
		deny: append([]string{"net/http", caddyItself, bbolt, redis, jwx, modulePath + "/handler", modulePath + "/caddymodule"}, stores...),
	},
	{folder: "tokens/jose", deny: []string{"net/http", caddyItself, bbolt, redis, modulePath}},
	{folder: "tokens/boltstore", deny: []string{"net/http", caddyItself, redis, jwx, modulePath + "/handler", modulePath + "/caddymodule"}},
	{folder: "tokens/redisstore", deny: []string{"net/http", caddyItself, bbolt, jwx, modulePath + "/handler", modulePath + "/caddymodule"}},
	{folder: "handler", deny: append([]string{caddyItself, bbolt, redis, jwx, modulePath + "/caddymodule"}, stores...)},
	// wire, identity <- guard; wire, login, pages, fetch <- handler.
	{folder: "handler/wire", deny: []string{handlers}},
	{folder: "handler/identity", deny: []string{handlers}},
	{folder: "handler/fetch", deny: []string{handlers}},
	{folder: "handler/login", deny: []string{handlers}},
	{folder: "handler/pages", deny: []string{handlers}},
	{folder: "handler/guard", deny: []string{handlers}, allow: []string{handlers + "/wire", handlers + "/identity"}},
	{folder: "handler", except: []string{"handler/guard"}, deny: []string{handlers + "/guard", handlers + "/identity"}},
	{folder: "caddymodule", except: []string{"caddymodule/adminapi", "caddymodule/command"}, deny: []string{bbolt, redis, jwx, cobra, commandLine}},
	{folder: "caddymodule/adminapi", deny: []string{bbolt, redis, jwx, cobra, modulePath + "/caddymodule", modulePath + "/handler/pages"}},
	{folder: "caddymodule/command", deny: []string{bbolt, redis, jwx, modulePath + "/handler"}},
	{folder: "caddymodule/grammar", deny: []string{modulePath}},
	{folder: "caddymodule/events", deny: append([]string{modulePath + "/handler", modulePath + "/caddymodule"}, stores...)},
	{folder: "caddymodule/webhook", deny: append([]string{modulePath + "/handler", modulePath + "/caddymodule/adminapi", modulePath + "/caddymodule/command"}, stores...)},
}

// TestLayers holds every package to the import rule. Test files are free.
func TestLayers(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	checked := make(map[string]bool)
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		for _, l := range layers {
			if !l.holds(strings.TrimPrefix(p.ImportPath, modulePath+"/")) {
				continue
			}
			checked[l.folder] = true
			for _, i := range p.Imports {
				if slices.ContainsFunc(l.deny, func(d string) bool { return below(i, d) }) && !slices.Contains(l.allow, i) {
					t.Errorf("%s imports %s: the layers are caddymodule -> handler -> tokens <- its stores", p.ImportPath, i)
				}
			}
		}
	}
	for _, l := range layers {
		if !checked[l.folder] {
			t.Errorf("no package in %s was found", l.folder)
		}
	}
}

func (l layer) holds(folder string) bool {
	return below(folder, l.folder) && !slices.ContainsFunc(l.except, func(e string) bool { return below(folder, e) })
}

// below reports whether path is root or lies below it.
func below(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}
