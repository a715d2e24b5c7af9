package caddymodule

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Caddy makes one route of all directives of a named route that have no matcher,
// and then keeps the first handler alone. A guard itself has a matcher there (see
// routesOf), but not the block or the `invoke` that leads to it. Where such a one
// would be lost, the configuration is refused; inside of `route` nothing is.

const lostInNamedRoute = "Caddy keeps only the first handler of a named route whose directives have no matcher, and would lose the guard: " +
	"put all directives of this named route into one `route { … }`"

// checkInNamedRoute refuses a guard in a block of a named route that Caddy may lose.
func checkInNamedRoute(h httpcaddyfile.Helper, directive string) error {
	if !h.IsNamedRoute() {
		return nil
	}
	if top := directivesAround(h); len(top) != 1 && !slices.ContainsFunc(top, keepsNamedRoute) {
		return h.Errf("%s: %s", directive, lostInNamedRoute)
	}
	return nil
}

// keepsNamedRoute reports whether a directive keeps its named route whole: it is
// ours, or a block, which has its matcher first.
func keepsNamedRoute(directive []string) bool {
	switch directive[0] {
	case "bearer_auth", "require_login":
		return true
	case "handle", "handle_path", "route", "invoke":
		return len(directive) > 1 && (directive[1][0] == '/' || directive[1][0] == '@')
	}
	return false
}

// directivesAround returns the lines of a named route that a directive stands in,
// at whatever depth: those of its directives, without their blocks. Caddy shows a
// directive nothing but itself, so this looks into its Helper. It finds none when
// Caddy has changed that, and then no guard is let into a named route.
func directivesAround(h httpcaddyfile.Helper) (lines [][]string) {
	block := reflect.ValueOf(h).FieldByName("parentBlock")
	if !block.IsValid() {
		return nil
	}
	depth, before := 0, reflect.Value{}
	for segments, i := block.FieldByName("Segments"), 0; i < segments.Len(); i++ {
		for tokens, j := segments.Index(i), 0; j < tokens.Len(); j++ {
			token := tokens.Index(j)
			switch text := token.FieldByName("Text").String(); {
			case text == "{" && !isQuoted(token):
				depth++
			case text == "}" && !isQuoted(token):
				depth--
				before = reflect.Value{}
			case depth != 1 || text == "":
			case before.IsValid() && sameLine(before, token):
				lines[len(lines)-1] = append(lines[len(lines)-1], text)
			default:
				lines = append(lines, []string{text})
				before = token
			}
		}
	}
	return slices.DeleteFunc(lines, func(line []string) bool { return strings.HasPrefix(line[0], "@") })
}

func isQuoted(token reflect.Value) bool {
	quote := token.FieldByName("wasQuoted")
	return quote.IsValid() && quote.Int() != 0
}

func sameLine(a, b reflect.Value) bool {
	return a.FieldByName("Line").Int() == b.FieldByName("Line").Int() && a.FieldByName("File").String() == b.FieldByName("File").String()
}

// checkInvokes refuses a configuration of which Caddy has lost an `invoke` that
// leads to a guard. All named routes are there when the first site is read.
func checkInvokes(h httpcaddyfile.Helper) error {
	routes, _ := h.Option("named_routes").(map[string]*caddyhttp.Route)
	invokes, _ := h.Option("named_route_invokes").(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(invokes)) {
		there := handlersOf(routes[name])
		for _, invoked := range invokes[name] {
			if !there["invoke "+invoked] && leadsToGuard(invoked, routes, invokes, nil) {
				return h.Errf("named route %s, `invoke %s`: %s", name, invoked, lostInNamedRoute)
			}
		}
	}
	return nil
}

// leadsToGuard reports whether a named route holds a guard, or invokes one that does.
func leadsToGuard(name string, routes map[string]*caddyhttp.Route, invokes map[string][]string, by []string) bool {
	if slices.Contains(by, name) {
		return false
	}
	by = append(by, name)
	there := handlersOf(routes[name])
	return there["bearer_auth"] || there["require_login"] ||
		slices.ContainsFunc(invokes[name], func(next string) bool { return leadsToGuard(next, routes, invokes, by) })
}

// handlersOf returns the names of the handlers in a route that is not loaded yet,
// at every depth; that of an `invoke` with what it invokes.
func handlersOf(route *caddyhttp.Route) map[string]bool {
	found := make(map[string]bool)
	if route == nil {
		return found
	}
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, element := range value {
				walk(element)
			}
		case map[string]any:
			name, _ := value["handler"].(string)
			if invoked, ok := value["name"].(string); ok && name == "invoke" {
				name += " " + invoked
			}
			found[name] = true
			for _, element := range value {
				walk(element)
			}
		}
	}
	for _, raw := range route.HandlersRaw {
		var value any
		if json.Unmarshal(raw, &value) == nil {
			walk(value)
		}
	}
	return found
}
