package redisstore

import (
	"embed"
	"strings"

	"github.com/redis/go-redis/v9"
)

// script is a Lua script that is sent by its hash, and as text to a server that
// does not know it (any more).
type script = redis.Script

// scripts are all of them; the comment at the head of each file in lua/ tells
// its keys, arguments and result.
type scripts struct {
	open, born, vouched             *script
	rotate, reuse, unanswered       *script // reuse is rotate, when that has found one
	createFamily, end, families     *script
	liveFamily                      *script
	createSession, session, profile *script
	putCode, takeCode               *script
	putDevice, getDevice            *script
	decideDevice, pollDevice        *script
	denyToken, denials              *script
	endClient, watermarks           *script
	putGrant, grant                 *script
	keys, swapKeys                  *script
	useAssertion                    *script
	feedAppend, feedEnd             *script
	appendHistory                   *script
	history, familyOfRequest        *script
	scanHeld, enable, moved         *script
	importBegin, importFinish       *script
	importHeld, importFields        *script
}

//go:embed lua/*.lua
var lua embed.FS

var theScripts = loadScripts(func(text string) string { return text })

// loadScripts puts each script together with the preludes that it uses. change
// may rewrite the text.
func loadScripts(change func(string) string) *scripts {
	load := func(names ...string) *script {
		var text strings.Builder
		for _, name := range names {
			part, err := lua.ReadFile("lua/" + name + ".lua")
			if err != nil {
				panic(err) // it is part of the program
			}
			text.Write(part)
		}
		return redis.NewScript(change(text.String()))
	}
	return &scripts{
		open:            load("clock", "open"),
		born:            load("clock", "born"),
		vouched:         load("clock", "vouched"),
		rotate:          load("clock", "family", "grants", "watermark", "denylist", "rotate"),
		reuse:           load("clock", "family", "grants", "watermark", "denylist", "rotate"),
		unanswered:      load("clock", "family", "unanswered"),
		createFamily:    load("clock", "family", "grants", "watermark", "denylist", "create_family"),
		end:             load("clock", "family", "grants", "watermark", "denylist", "end_all", "end"),
		families:        load("clock", "list_families"),
		liveFamily:      load("clock", "live_family"),
		createSession:   load("clock", "family", "grants", "watermark", "denylist", "end_all", "create_session"),
		session:         load("clock", "family", "grants", "watermark", "session"),
		profile:         load("clock", "family", "grants", "profile"),
		putCode:         load("clock", "family", "grants", "watermark", "code", "put_code"),
		takeCode:        load("clock", "family", "grants", "watermark", "denylist", "code", "take_code"),
		putDevice:       load("clock", "device", "put_device"),
		getDevice:       load("clock", "device", "get_device"),
		decideDevice:    load("clock", "device", "decide_device"),
		pollDevice:      load("clock", "device", "poll_device"),
		denyToken:       load("clock", "watermark", "denylist", "deny_token"),
		denials:         load("clock", "denials"),
		endClient:       load("clock", "watermark", "end_client"),
		watermarks:      load("clock", "watermarks"),
		putGrant:        load("clock", "put_grant"),
		grant:           load("clock", "grant"),
		keys:            load("clock", "keys"),
		swapKeys:        load("clock", "swap_keys"),
		useAssertion:    load("clock", "use_assertion"),
		feedAppend:      load("clock", "feed_append"),
		feedEnd:         load("clock", "feed_end"),
		appendHistory:   load("append_history"),
		history:         load("clock", "history"),
		familyOfRequest: load("clock", "family_of_request"),
		scanHeld:        load("clock", "family", "grants", "scan_held"),
		enable:          load("clock", "watermark", "denylist", "enable"),
		moved:           load("clock", "moved"),
		importBegin:     load("clock", "import_begin"),
		importFinish:    load("clock", "import_finish"),
		importHeld:      load("clock", "family", "grants", "import_held"),
		importFields:    load("clock", "import_fields"),
	}
}
