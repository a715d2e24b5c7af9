package caddymodule

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRealPath(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(base, "real"), 0o700))
	must(os.WriteFile(filepath.Join(base, "real", "there.db"), nil, 0o600))
	must(os.Symlink("real", filepath.Join(base, "link")))
	must(os.Symlink("real/there.db", filepath.Join(base, "to-file.db")))
	must(os.Symlink("link/not-yet.db", filepath.Join(base, "dangling.db")))
	must(os.Symlink("loop.db", filepath.Join(base, "loop.db")))
	t.Chdir(base)

	tests := []struct {
		name, path, want string
		fails            bool
	}{
		{name: "absolute", path: filepath.Join(base, "real", "there.db"), want: "real/there.db"},
		{name: "relative", path: "real/there.db", want: "real/there.db"},
		{name: "through a linked folder", path: "link/there.db", want: "real/there.db"},
		{name: "a linked file", path: "to-file.db", want: "real/there.db"},
		{name: "file does not exist", path: "link/not-yet.db", want: "real/not-yet.db"},
		{name: "folders do not exist", path: "link/a/b/../c.db", want: "real/a/c.db"},
		{name: "link to a file that does not exist", path: "dangling.db", want: "real/not-yet.db"},
		{name: "loop", path: "loop.db", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := realPath(tt.path)
			if tt.fails {
				if err == nil {
					t.Fatalf("realPath(%s) = %s, want an error", tt.path, got)
				}
				return
			}
			if want := filepath.Join(base, tt.want); err != nil || got != want {
				t.Errorf("realPath(%s) = %s, %v, want %s", tt.path, got, err, want)
			}
		})
	}
}
