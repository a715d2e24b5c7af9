package adminapi

import (
	"runtime/debug"
	"testing"
)

func TestVersionIn(t *testing.T) {
	dep := func(m debug.Module) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Path: "caddy", Version: "(devel)"}, Deps: []*debug.Module{{Path: "other", Version: "v9.9.9"}, &m}}
	}
	for _, tt := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"built by xcaddy", dep(debug.Module{Path: modulePath, Version: "v1.2.3"}), "v1.2.3"},
		{"by xcaddy from a checkout", dep(debug.Module{Path: modulePath, Version: "v0.0.0", Replace: &debug.Module{Path: "/src"}}), "(devel)"},
		{"by xcaddy from a fork", dep(debug.Module{Path: modulePath, Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.1"}}), "v1.0.1"},
		{"a program of the checkout", &debug.BuildInfo{Main: debug.Module{Path: modulePath}}, "(devel)"},
		{"without this module", &debug.BuildInfo{}, "(devel)"},
		{"without a record", nil, "(devel)"},
	} {
		if got := versionIn(tt.info); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestVersionOfARelease(t *testing.T) {
	if got := Version(); got != "(devel)" {
		t.Errorf("a test is of version %q", got)
	}
	release = "v1.4.0"
	t.Cleanup(func() { release = "" })
	if got := Version(); got != "v1.4.0" {
		t.Errorf("a release is of version %q", got)
	}
}
