package adminapi

import (
	"net/http"
	"net/url"
)

// Actions are all of them, a row each. Of several at one endpoint, which takes other
// parameters for each, the first answers.
var Actions = []*Action{
	{
		Use: "grants list {<subject> | --client <client_id>}", Short: "Lists where a person is signed in, or who is signed in at a client",
		Args: []string{"subject"}, Optional: true, Check: checkList,
		Flags:  []Flag{{Name: "client", Help: "List everybody who is signed in at this client; searches the entire store"}},
		Method: http.MethodGet, Path: "grants", answer: (*API).listGrants,
		Show: shows(showGrants), Item: showStreamedGrant, Progress: reports(scanProgress), End: shows(showScanned), // of a client it is a stream
	},
	{
		Use: "grants show <family>", Short: "Shows one login by its family ID, which is in the log and in access tokens (gh_fam)",
		Args: []string{"family"}, Flags: []Flag{{Name: "subject", Help: "The subject that it belongs to; without it, the entire store is searched"}},
		Method: http.MethodGet, Path: "grants", answer: (*API).listGrants, Show: shows(showGrant),
	},
	{
		Use:   "grants end {<subject> [<family>] | --family <id> | [<subject> | --client <id> | --everyone] --before <time>}",
		Short: "Ends everything that a person has, including sessions, or one login, or all logins up to a time",
		Args:  []string{"subject", "family"}, Optional: true, Check: checkEnd,
		Flags: []Flag{
			{Name: "family", Help: "End this family, whoever it belongs to"},
			{Name: "before", Help: "End what started with logins at or before this time, such as 2026-11-01T00:00:00Z"},
			{Name: "client", Help: "With --before: at this client"},
			{Name: "everyone", Help: "With --before: of all users, including their sessions", Switch: true},
			forceFlag("Accept an unknown subject, client, or family"),
		},
		Method: http.MethodDelete, Path: "grants", Audit: "end_grants", answer: (*API).endGrants,
		Show: shows(showEnded), Progress: reports(endProgress), // with before it is a stream
	},
	{
		Use: "clients end <client_id>", Short: "Ends every refresh token and access token that a client has now",
		Args: []string{"client"}, Slow: slowEnd,
		Flags: []Flag{
			{Name: "block", Help: "Also refuse new sign-ins to a client that is not in the configuration", Switch: true},
			forceFlag("End an unknown client"),
		},
		Method: http.MethodPost, Path: "clients/{client}/end", Audit: "end_client", answer: (*API).endClient, Show: shows(showEndedClient),
	},
	{
		Use: "clients unblock <client_id>", Short: "Lets a blocked client sign people in again",
		Args: []string{"client"}, Flags: []Flag{forceFlag("Accept an unknown client")},
		Method: http.MethodPost, Path: "clients/{client}/unblock", Audit: "unblock_client", answer: (*API).unblockClient, Show: shows(showUnblocked),
	},
	{
		Use: "clients list", Short: "Lists the configured clients, and other clients that people are signed in to; searches the entire store",
		Method: http.MethodGet, Path: "clients", answer: (*API).listClients, Show: shows(showClients),
	},
	{
		Use: "registered end --yes", Short: "Ends everything that clients that registered themselves have now",
		Confirm: confirmRegistered, Slow: slowEnd,
		Method: http.MethodPost, Path: "registered/end", Audit: "end_registered", answer: (*API).endRegistered, Show: shows(showEndedRegistered),
	},
	{
		Use: "consents list <subject>", Short: "Lists what a person has agreed to, client by client", Args: []string{"subject"},
		Method: http.MethodGet, Path: "consents", answer: (*API).listConsents, Show: shows(showConsents),
	},
	{
		Use: "consents withdraw <subject> <client_id>", Short: "Withdraws what a person has agreed to at a client, and ends everything that it has for them",
		Args: []string{"subject", "client"}, Flags: []Flag{forceFlag("Accept an unknown subject or client")},
		Method: http.MethodDelete, Path: "consents", Audit: "withdraw_consent", answer: (*API).withdrawConsent, Show: shows(showWithdrawn),
	},
	{
		Use: "everyone end --yes", Short: "Ends every session, code, refresh token, and access token that anybody has now",
		Confirm: confirmEveryone, Slow: slowEnd,
		Method: http.MethodPost, Path: "everyone/end", Audit: "end_everyone", answer: (*API).endEveryone, Show: shows(showEndedEveryone),
	},
	{
		Use: "users show {<subject> | <hash>}", Short: "Shows what is known about a subject, such as 'local|alice', or about its hash from the log",
		Args: []string{"subject"}, Method: http.MethodGet, Path: "users/{subject}", answer: (*API).showUser, Show: shows(showUser),
	},
	{
		Use: "users end <subject>", Short: "Ends everything that a person has: sessions, refresh tokens, and access tokens; they can sign in again",
		Args: []string{"subject"}, Flags: []Flag{forceFlag("Take a subject that nobody knows")},
		Method: http.MethodDelete, Path: "grants", Audit: "end_grants", answer: (*API).endGrants, Show: shows(showEnded),
	},
	{
		Use: "users disable {<subject> | <hash>}", Short: "Ends everything that a subject has, and refuses it on every node until it is enabled",
		Args: []string{"subject"}, Flags: []Flag{forceFlag("Refuse a subject that is not known yet")},
		Method: http.MethodPost, Path: "users/{subject}/disable", Audit: "disable_user", answer: (*API).disableUser, Show: shows(showDisabled),
	},
	{
		Use: "users enable {<subject> | <hash>}", Short: "Lets a disabled subject sign in again", Args: []string{"subject"},
		Method: http.MethodPost, Path: "users/{subject}/enable", Audit: "enable_user", answer: (*API).enableUser, Show: shows(showEnabled),
	},
	{
		Use: "users list [--login <login>]", Short: "Lists everybody who has signed in and is still in the store; searches the entire store",
		Flags:  []Flag{{Name: "login", Help: "List only people who signed in through this login"}},
		Method: http.MethodGet, Path: "users", answer: (*API).listUsers, Item: showListed, Show: shows(showListEnd),
	},
	{
		Use:   "users move {<old subject> <new subject> | --undo <new subject>}",
		Short: "Lets a person whose provider changed their ID sign in with the new subject and stay the same user",
		Args:  []string{"subject", "new"}, Optional: true, Check: checkMoved,
		Flags: []Flag{
			{Name: "undo", Help: "Undo the move of this new subject"},
			dryRunFlag,
			{Name: forceName, Help: "End what the new subject has; otherwise that is an error", Switch: true},
		},
		Method: http.MethodPost, Path: "users/move", Audit: "move_user", answer: (*API).moveUser, Show: shows(showMoved),
	},
	{
		Use: "users disabled", Short: "Lists everybody who is disabled; searches the entire store", Always: url.Values{"disabled": {"true"}},
		Method: http.MethodGet, Path: "users", answer: (*API).listUsers, Item: showSubject, Show: shows(showUsersEnd),
	},
	{
		Use: "tokens deny [--subject <subject> --jti <jti>]", Short: "Denies one access token, given on the standard input or by its subject and jti",
		Stdin: "token", Check: checkDeny,
		Flags: []Flag{
			{Name: "subject", Help: "The token's sub"},
			{Name: "jti", Help: "The token's jti"},
			forceFlag("Take a subject that nobody knows"),
		},
		Method: http.MethodPost, Path: "tokens/deny", Audit: "deny_token", answer: (*API).denyToken, Show: shows(showDenied),
	},
	{
		Use: "keys list", Short: "Lists the signing keys",
		Method: http.MethodGet, Path: "keys", answer: (*API).listKeys, Show: shows(showKeys),
	},
	{
		Use: "keys rotate", Short: "Creates new signing keys; they are published first and sign later",
		Flags: []Flag{{
			Name: "immediate", Switch: true,
			Help: "Sign with them immediately: services that cache the old key set will refuse tokens until they fetch it again",
		}},
		Method: http.MethodPost, Path: "keys/rotate", Audit: "rotate_keys", answer: (*API).rotateKeys, Show: shows(showKeys),
	},
	{
		Use: "keys drop <kid>", Short: "Removes a compromised signing key: everything that it signed is refused on all nodes", Args: []string{"kid"},
		Method: http.MethodDelete, Path: "keys/{kid}", Audit: "drop_key", answer: (*API).dropKey, Show: shows(showKeys),
	},
	{
		Use: "issuers list", Short: "Lists the other issuers whose tokens are accepted",
		Method: http.MethodGet, Path: "issuers", GuardsToo: true, answer: (*API).listIssuers, Show: shows(showIssuers),
	},
	{
		Use: "issuers purge <issuer>", Short: "Removes an issuer's keys on this node after one was compromised, and fetches them again", Args: []string{"issuer"},
		Method: http.MethodPost, Path: "issuers/purge", Audit: "purge_issuer", GuardsToo: true, answer: (*API).purgeIssuer, Show: shows(showPurged),
	},
	{
		Use: "logins check [<login>]", Short: "Checks whether people can sign in at the provider of each login, or of one, and says what to register there",
		Args: []string{"login"}, Optional: true, Slow: "asking the providers, for up to ten seconds",
		Method: http.MethodGet, Path: "logins", StoreOptional: true, answer: (*API).checkLogins, Show: shows(showLogins), Failed: loginsFailed,
	},
	{
		Use:   "logins rebind <login> --from-issuer <issuer>",
		Short: "Keeps the people of a login the same after its issuer changed; searches the entire store",
		Args:  []string{"login"}, Check: checkRebind,
		Flags: []Flag{
			{Name: "from-issuer", Help: "The issuer that the login had before, exactly as it was configured"},
			{Name: "from-subject", Help: "The claims that `subject` had before, separated by spaces, if they were different"},
			dryRunFlag,
		},
		Method: http.MethodPost, Path: "logins/{login}/rebind", Audit: "rebind_login", answer: (*API).rebindLogin,
		Show: shows(showRebound), Progress: reports(rebindProgress), // it is a stream
	},
	{
		Use: "logouts list", Short: "Lists sign-outs that applications have not been told of yet; searches the entire store",
		Slow:   "searching the entire store",
		Method: http.MethodGet, Path: "logouts", answer: (*API).listLogouts, Show: shows(showLogouts),
	},
	{
		Use: "explain <family or request id>", Short: "Explains what happened to a refresh token family, by an ID from the log", Args: []string{"id"},
		Method: http.MethodGet, Path: "explain/{id}", answer: (*API).explain, Show: shows(showExplanation),
	},
	{
		Use: "stats", Short: "Prints counts, keys, and the state of the store",
		Method: http.MethodGet, Path: "stats", StoreOptional: true, answer: (*API).stats, Show: shows(showStats),
	},
	Backup, Export, UndoExport,
}

// What the command makes into files, or undoes.
var (
	// Backup sends what ReadBackup reads.
	Backup = &Action{Method: http.MethodPost, Path: "backup", Audit: "backup", answer: (*API).backup}
	// Export stops the store and sends all that it keeps: docs/moving.md.
	Export = &Action{Method: http.MethodPost, Path: "export", Audit: "export", answer: (*API).export}
	// UndoExport lets the store go on.
	UndoExport = &Action{Method: http.MethodDelete, Path: "export", Audit: "undo_export", answer: (*API).undoExport, Show: shows(showResumed)}
)
