package adminapi

import (
	"cmp"
	"runtime/debug"
)

// modulePath is the path by which a build names this module.
const modulePath = "github.com/gatehouse-auth/gatehouse"

// release is the semantic version of a release binary, such as `v1.2.0`: its build sets it by
// `-ldflags "-X …/caddymodule/adminapi.release=v1.2.0"`, as packaging/release does.
var release string

// Version is the version of Gatehouse in this program: that of a release, the
// one that xcaddy took (a semantic version, or a commit's pseudo-version), or
// `(devel)` for a checkout. See https://go.dev/ref/mod#versions.
func Version() string {
	info, _ := debug.ReadBuildInfo()
	return cmp.Or(release, versionIn(info))
}

// versionIn is the version that a build notes for this module.
func versionIn(info *debug.BuildInfo) string {
	const unknown = "(devel)"
	if info == nil {
		return unknown
	}
	modules := append([]*debug.Module{&info.Main}, info.Deps...)
	for _, m := range modules {
		if m.Path != modulePath {
			continue
		}
		if m.Replace != nil {
			m = m.Replace // by a folder: it has no version of its own
		}
		return cmp.Or(m.Version, unknown)
	}
	return unknown
}
