package caddymodule

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// placedGuard is where a bearer_auth stands: behind the matchers of all routes around it, as far
// as they are asked about the path that the client has sent.
type placedGuard struct {
	guard    *BearerAuth
	matchers []caddyhttp.MatcherSets
	all      bool // and none of them is asked about another path
}

// guardPaths collects the guards of one server for problems.
type guardPaths struct {
	places    []placedGuard
	around    []caddyhttp.MatcherSets
	rewritten bool // so that the matchers inside are asked about another path
}

// within walks a route behind its matchers.
func (p *guardPaths) within(matchers caddyhttp.MatcherSets, walk func() bool) bool {
	if p.rewritten {
		return walk()
	}
	p.around = append(p.around, matchers)
	defer func() { p.around = p.around[:len(p.around)-1] }()
	return walk()
}

// note notes a guard.
func (p *guardPaths) note(b *BearerAuth) {
	p.places = append(p.places, placedGuard{b, slices.Clone(p.around), !p.rewritten})
}

// pathProblem is what is wrong with the paths of a guard.
type pathProblem struct {
	guard        *BearerAuth
	text, option string // of a Finding
}

// problems tells of paths that no guard takes, though their clients call them, and of
// documents that nobody can get.
func (p *guardPaths) problems() (problems []pathProblem) {
	told := make(map[string]bool)
	tell := func(b *BearerAuth, about, text, option string) {
		if !told[about] {
			told[about] = true
			problems = append(problems, pathProblem{b, text, option})
		}
	}
	for _, place := range p.places {
		b := place.guard
		if !b.decides() || oauth.OriginOf(b.Audience[0]) == "" {
			continue
		}
		for _, path := range place.called() {
			if !slices.ContainsFunc(p.places, func(other placedGuard) bool {
				return other.guard.decides() && other.besides(place) && other.takes(path)
			}) {
				tell(b, path, path+" is not guarded: the matcher leaves it out, and it belongs to "+b.Audience[0]+". "+
					"Name all paths in one matcher, `@guarded path "+path+" "+strings.TrimSuffix(path, "/")+"/*`, and write @guarded in the place of the path", "matcher")
			}
		}
		document := guard.MetadataPath + place.path()
		if b.MCP && !slices.ContainsFunc(p.places, func(other placedGuard) bool { return other.besides(place) && other.takes(document) }) {
			tell(b, document, "no MCP client finds the authorization server: the document that every challenge names, "+document+", is not served, since the block around the guard has a matcher. "+
				"Write the guard ahead of the blocks, with a matcher of its own, or repeat it in `handle "+guard.MetadataPath+"* { … }`", "mcp")
		}
	}
	return problems
}

// path returns the path of the audience, "" for the whole host.
func (p placedGuard) path() string {
	u, err := url.Parse(p.guard.Audience[0])
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.EscapedPath(), "/")
}

// called returns the paths that are called where the guard is for what lies below them: that of
// the audience, which a matcher of the guard's own may leave to the upstream, and with mcp, whose
// clients are given a URL, that of each pattern.
func (p placedGuard) called() (paths []string) {
	outside := placedGuard{guard: p.guard, matchers: p.matchers[:max(0, len(p.matchers)-1)]}
	if path := p.path(); path != "" && (p.guard.MCP && len(p.patterns()) > 0 || p.all && p.takes(path+"/-") && outside.takes(path)) {
		paths = append(paths, path)
	}
	if !p.guard.MCP {
		return paths
	}
	for _, pattern := range p.patterns() {
		if base, ok := strings.CutSuffix(pattern, "/*"); ok && base != "" && !strings.Contains(base, "*") && !slices.Contains(paths, base) {
			paths = append(paths, base)
		}
	}
	return paths
}

// patterns returns the paths of the matchers.
func (p placedGuard) patterns() (patterns []string) {
	for _, sets := range p.matchers {
		for _, set := range sets {
			for _, m := range set {
				switch m := m.(type) {
				case caddyhttp.MatchPath:
					patterns = append(patterns, m...)
				case *caddyhttp.MatchPath:
					patterns = append(patterns, *m...)
				}
			}
		}
	}
	return patterns
}

// takes reports whether the guard gets the requests for a path, of its audience's host, as far as
// the matchers of paths and hosts say.
func (p placedGuard) takes(path string) bool {
	ctx := context.WithValue(context.Background(), caddy.ReplacerCtxKey, caddy.NewReplacer())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, oauth.OriginOf(p.guard.Audience[0])+path, nil)
	if err != nil {
		return true
	}
	for _, sets := range p.matchers {
		if len(sets) > 0 && !slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool { return setTakes(set, r) }) {
			return false
		}
	}
	return true
}

// setTakes reports whether the path matchers of a set let a request through.
func setTakes(set caddyhttp.MatcherSet, r *http.Request) bool {
	for _, m := range set {
		var ok bool
		var err error
		switch m := m.(type) {
		case caddyhttp.MatchPath:
			ok, err = m.MatchWithError(r)
		case *caddyhttp.MatchPath:
			ok, err = m.MatchWithError(r)
		case *caddyhttp.MatchPathRE:
			ok, err = m.MatchWithError(r)
		default:
			ok = true
		}
		if err == nil && !ok {
			return false
		}
	}
	return true
}

// besides reports whether two guards stand in the same sites.
func (p placedGuard) besides(other placedGuard) bool {
	mine, others := p.hosts(), other.hosts()
	return len(mine) == 0 || len(others) == 0 || slices.ContainsFunc(others, func(host string) bool { return slices.Contains(mine, host) })
}

func (p placedGuard) hosts() (hosts []string) {
	for _, sets := range p.matchers {
		for _, set := range sets {
			for _, m := range set {
				switch m := m.(type) {
				case caddyhttp.MatchHost:
					hosts = append(hosts, m...)
				case *caddyhttp.MatchHost:
					hosts = append(hosts, *m...)
				}
			}
		}
	}
	return hosts
}
