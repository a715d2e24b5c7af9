package adminapi

import (
	"encoding/json"
	"net/url"
	"strings"
)

// Base is the path of the admin endpoints.
const Base = "/oauth/"

// Action is one thing that operators do: an endpoint of the admin API, and the
// subcommand of `caddy oauth` that calls it. Both are made from this description.
type Action struct {
	// The subcommand, with its group before it, and its help. An action without
	// one is called by a command with code of its own.
	Use, Short string
	Args       []string                     // the parameters that its arguments are
	Optional   bool                         // its arguments may be left out
	Flags      []Flag                       // the parameters that its flags are
	Always     url.Values                   // the parameters that it always sends
	Stdin      string                       // the parameter that it reads from its standard input if no other is given; no parameter is in the URL then
	Check      func(asked url.Values) error // finds parameters that make no sense
	Confirm    string                       // what it does, if that needs the flag --yes
	Slow       string                       // what it waits for when it takes more than a second

	// The endpoint. One that changes something has the outcome of its event.
	Method, Path  string // below Base; {name} is a parameter
	Audit         string
	GuardsToo     bool // it is there without an authorization server, too
	StoreOptional bool // it answers while the store cannot be opened, too
	answer        func(*API, *call) (any, error)

	// How the command prints an answer for people.
	Show     func(*Printer, url.Values, json.RawMessage) error
	Item     func(p *Printer, before int, line Line) // of a stream, with the number of items before this one
	Progress func(json.RawMessage) string
	End      func(*Printer, url.Values, json.RawMessage) error // of a stream, if it is none that Show prints
	// Failed makes the command fail, once its answer is printed, by what is in it.
	Failed func(json.RawMessage) error
}

// Flag is a flag of a subcommand and a parameter of the same name.
type Flag struct {
	Name, Help string
	Switch     bool // it takes no value; the parameter is true
}

// forceFlag lets an action be about what nobody knows.
func forceFlag(help string) Flag {
	return Flag{Name: forceName, Help: help + "; otherwise that is an error", Switch: true}
}

// dryRunFlag lets an action say what it would do.
var dryRunFlag = Flag{Name: "dry-run", Help: "Only show what would be done", Switch: true}

// Request makes a request of the parameters. A body is nil or sent as JSON.
func (a *Action) Request(asked url.Values) (uri string, body any) {
	query := make(url.Values)
	for _, parameters := range []url.Values{asked, a.Always} {
		for name := range parameters {
			query.Set(name, parameters.Get(name))
		}
	}
	path := strings.Split(a.Path, "/")
	for i, segment := range path {
		if name, ok := parameterName(segment); ok {
			path[i] = url.PathEscape(query.Get(name))
			query.Del(name)
		}
	}
	if a.Stdin != "" {
		members := make(map[string]string)
		for name := range query {
			if name != forceName {
				members[name] = query.Get(name)
				query.Del(name)
			}
		}
		body = members
	}
	uri = Base + strings.Join(path, "/")
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	return uri, body
}

// parameterName returns the name of a segment that is a parameter.
func parameterName(segment string) (name string, ok bool) {
	name, opened := strings.CutPrefix(segment, "{")
	name, closed := strings.CutSuffix(name, "}")
	return name, opened && closed
}
