package caddymodule

import (
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestBoltStorePath(t *testing.T) {
	data, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_DATA_HOME", data)
	t.Setenv("GATEHOUSE_TEST_DATA", data)
	t.Chdir(data)
	tests := []struct {
		name, path, want string
		fails            bool
	}{
		{name: "default", want: "caddy/gatehouse.db"},
		{name: "relative", path: "a.db", want: "a.db"},
		{name: "absolute", path: filepath.Join(data, "b", "c.db"), want: "b/c.db"},
		{name: "placeholder", path: "{env.GATEHOUSE_TEST_DATA}/d.db", want: "d.db"},
		{name: "placeholder without a value", path: "{env.GATEHOUSE_TEST_NONE}/d.db", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := &BoltStore{Path: tt.path}
			err := store.Provision(caddy.Context{})
			if tt.fails {
				if err == nil {
					t.Fatalf("the path is %s, want an error", store.file)
				}
				return
			}
			want := filepath.Join(data, tt.want)
			if err != nil || store.PoolKey() != "bolt:"+want || store.SecretFile() != want+".secret" {
				t.Errorf("key %s, secret in %s, error %v, want %s", store.PoolKey(), store.SecretFile(), err, want)
			}
		})
	}
	if files, err := filepath.Glob(filepath.Join(data, "*")); err != nil || len(files) != 0 {
		t.Errorf("Provision made %v (%v)", files, err)
	}
}
