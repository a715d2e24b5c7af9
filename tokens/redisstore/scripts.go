package redisstore

import (
	"embed"

	"github.com/redis/go-redis/v9"
)

// script is a Lua script that is sent by its hash, and as text to a server that
// does not know it (any more).
type script = redis.Script

// scripts are all of them, one for each decision: the comment at the head of its file in
// lua/ tells its keys, arguments and result. What Redis runs is in flat/, which
// go generate writes: a new decision is a file in lua/, that command, and a field here.
type scripts struct {
	open, born, vouched             *script
	rotate, reuse, unanswered       *script // reuse is rotate, when that has found one
	createFamily, end, families     *script
	liveFamily                      *script
	createSession, session, profile *script
	putCode, takeCode               *script
	beginRecheck, endRecheck        *script
	putIndex, findIndex             *script
	expectLogouts, dueLogouts       *script
	settleLogouts, takeLogouts      *script
	doneLogouts, leaseSender        *script
	putAlias, alias, rebind         *script
	putDevice, getDevice            *script
	decideDevice, pollDevice        *script
	denyToken, denials              *script
	endClient, blockClient          *script
	watermarks                      *script
	putGrant, grant                 *script
	keys, swapKeys                  *script
	useAssertion                    *script
	putDocument, document           *script
	feedAppend, feedEnd             *script
	appendHistory                   *script
	history, familyOfRequest        *script
	scanHeld, enable, moved         *script
	importBegin, importFinish       *script
	importHeld, importFields        *script
}

//go:generate go run ./flatten

//go:embed flat/*.lua
var flat embed.FS

var theScripts = loadScripts(func(text string) string { return text })

// loadScripts reads each script, as flatten has put it together of the sources in
// lua/. change may rewrite the text.
func loadScripts(change func(string) string) *scripts {
	load := func(name string) *script { return redis.NewScript(change(sourceOf(name))) }
	return &scripts{
		open:            load("open"),
		born:            load("born"),
		vouched:         load("vouched"),
		rotate:          load("rotate"),
		reuse:           load("rotate"),
		unanswered:      load("unanswered"),
		createFamily:    load("create_family"),
		end:             load("end"),
		families:        load("list_families"),
		liveFamily:      load("live_family"),
		createSession:   load("create_session"),
		session:         load("session"),
		profile:         load("profile"),
		beginRecheck:    load("begin_recheck"),
		endRecheck:      load("end_recheck"),
		putIndex:        load("put_index"),
		findIndex:       load("find_index"),
		expectLogouts:   load("expect_logouts"),
		dueLogouts:      load("due_logouts"),
		settleLogouts:   load("settle_logouts"),
		takeLogouts:     load("take_logouts"),
		doneLogouts:     load("done_logouts"),
		leaseSender:     load("lease_sender"),
		putAlias:        load("put_alias"),
		alias:           load("alias"),
		rebind:          load("rebind"),
		putCode:         load("put_code"),
		takeCode:        load("take_code"),
		putDevice:       load("put_device"),
		getDevice:       load("get_device"),
		decideDevice:    load("decide_device"),
		pollDevice:      load("poll_device"),
		denyToken:       load("deny_token"),
		denials:         load("denials"),
		endClient:       load("end_client"),
		blockClient:     load("block_client"),
		watermarks:      load("watermarks"),
		putGrant:        load("put_grant"),
		grant:           load("grant"),
		keys:            load("keys"),
		swapKeys:        load("swap_keys"),
		useAssertion:    load("use_assertion"),
		putDocument:     load("put_document"),
		document:        load("document"),
		feedAppend:      load("feed_append"),
		feedEnd:         load("feed_end"),
		appendHistory:   load("append_history"),
		history:         load("history"),
		familyOfRequest: load("family_of_request"),
		scanHeld:        load("scan_held"),
		enable:          load("enable"),
		moved:           load("moved"),
		importBegin:     load("import_begin"),
		importFinish:    load("import_finish"),
		importHeld:      load("import_held"),
		importFields:    load("import_fields"),
	}
}

// sourceOf returns the text of a script.
func sourceOf(name string) string {
	text, err := flat.ReadFile("flat/" + name + ".lua")
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(text)
}
