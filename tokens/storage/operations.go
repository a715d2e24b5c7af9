package storage

// Operations are what the stores call their operations where these are measured, in order: a
// closed set, so that each is counted from zero on.
var Operations = []string{
	"alias", "announce", "append_history", "background", "backup", "beat", "begin_recheck",
	"block_client", "client_watermarks", "consents", "create_family", "create_session",
	"decide_device", "denials", "deny_token", "device", "document", "done_logouts", "due_logouts",
	"enable", "end", "end_client", "end_recheck", "expect_logouts", "export", "family_of_request",
	"find_index", "grant", "held", "history", "import", "keys", "lease_sender", "list_aliases",
	"list_families", "live_family", "now", "open", "poll_device", "profile", "put_alias", "put_code",
	"put_device", "put_document", "put_grant", "put_index", "rebind", "replay", "resume", "rotate",
	"scan_users", "session", "settle_logouts", "swap_keys", "sweep", "take_code", "take_logouts",
	"unanswered", "use_assertion", "watch",
}
