// Who may do what, by groups that are given, lost and given again: in the browser, at the token endpoint and at the guard.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { press } from "../harness/app.mjs";
import { launch, profile, shoot, signIn } from "../harness/browser.mjs";
import { alice, aliceHash, freePlaces, serve, sha256, webSecret } from "../harness/gateway.mjs";

let gateway;
let browser;
let client;

// member writes which groups alice is in, as an operator's tool does: beside the file, and then in its place.
async function member(folder, ...groups) {
	await writeFile(`${folder}/people.new`, JSON.stringify({ [alice.username]: { name: "Alice Liddell", email: "alice@example.com", groups } }));
	await rename(`${folder}/people.new`, `${folder}/people.json`);
}

async function config({ folder, issuer, callback, api }) {
	await member(folder);
	return `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	storage file_system ${folder}/caddy
	oauth {
		issuer ${issuer}
		store bolt ${folder}/gatehouse.db
		login local {
			user ${alice.username} ${aliceHash}
			profiles_file ${folder}/people.json
		}
		group editors {
			from local writers
		}
		api ${api} {
			scopes orders:read orders:write
			scope orders:write {
				text "Change your orders"
				for editors
			}
			allow_offline_access
			token_claims groups email
		}
		client wiki {
			type web
			name "The wiki"
			redirect_uris ${callback}
			secret_hash ${sha256(webSecret)}
			apis ${api}
			consent always
			for staff editors
		}
	}
}
${issuer.slice(0, -1)} {
	oauth_server
}
${api.slice(0, -1)} {
	handle /admin {
		bearer_auth {
			audience ${api}
			for editors
		}
		respond "for editors"
	}
	handle {
		bearer_auth {
			audience ${api}
			header X-Groups groups
		}
		respond "{http.request.header.X-Groups}"
	}
}
`;
}

before(async () => {
	const [issuer, api, callback] = await freePlaces(3);
	[gateway, browser] = await Promise.all([serve({ issuer, api, callback: callback + "callback" }, config), launch()]);
	client = createServer((_, answer) => answer.end("the wiki")).listen(new URL(gateway.callback).port, "127.0.0.1");
});
after(async () => {
	client?.close();
	await browser?.close();
	await gateway?.stop();
});

const verifier = randomBytes(32).toString("base64url");
const authorize = (more) => gateway.issuer + "authorize?" + new URLSearchParams({
	client_id: "wiki", response_type: "code", redirect_uri: gateway.callback, state: "there",
	scope: "openid groups offline_access orders:read orders:write", audience: gateway.api,
	code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256", ...more,
});

async function token(form) {
	const answer = await fetch(gateway.issuer + "oauth/token", {
		method: "POST", body: new URLSearchParams({ client_id: "wiki", client_secret: webSecret, ...form }),
	});
	const body = await answer.json();
	gateway.secret(body.access_token, body.refresh_token, body.id_token);
	return { status: answer.status, body };
}
const refresh = ({ refresh_token }) => token({ grant_type: "refresh_token", refresh_token });
const claims = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[1], "base64url"));
const call = (path, { access_token }) => fetch(gateway.api + path, { headers: { Authorization: `Bearer ${access_token}` } });

// The role that an application such as Grafana makes of the groups (role_attribute_path).
const role = (groups) => groups.includes("editors") ? "Editor" : groups.includes("staff") ? "Viewer" : "None";

// settled asks until an answer is as it should be: the file is looked at once a second.
async function settled(ask, right) {
	for (const end = Date.now() + 15_000; ;) {
		const answer = await ask();
		if (right(answer)) return answer;
		assert.ok(Date.now() < end, JSON.stringify(answer));
		await pause(200);
	}
}

// arrive agrees to what the page asks for, and takes the tokens.
async function arrive(page) {
	await press(page, "Allow");
	await page.waitForURL(gateway.callback + "**");
	const code = new URL(page.url()).searchParams.get("code");
	const { status, body } = await token({ grant_type: "authorization_code", code, redirect_uri: gateway.callback, code_verifier: verifier });
	assert.equal(status, 200, JSON.stringify(body));
	return body;
}

test("a person is refused, granted less, and granted again, as their groups change", async (t) => {
	const context = await profile(browser, { viewport: { width: 320, height: 568 } });
	t.after(() => context.close());
	const page = await context.newPage();

	// In no group: the page says so, and leads back to the application.
	await page.goto(authorize());
	await signIn(page);
	await page.getByText("Your account may not use this application").waitFor();
	await page.getByText("local|alice").waitFor();
	await shoot(page, "groups-refused-320");
	await press(page, "Cancel");
	await page.waitForURL(gateway.callback + "**");
	assert.equal(new URL(page.url()).searchParams.get("error"), "access_denied");
	await page.goto(authorize({ prompt: "none" }));
	assert.equal(new URL(page.url()).searchParams.get("error"), "access_denied");

	// On the staff: in, and with less than was asked for.
	await member(gateway.folder, "staff");
	await settled(async () => {
		await page.goto(authorize());
		return page.getByRole("button", { name: "Allow" }).count();
	}, (there) => there > 0);
	assert.equal(await page.getByText("Change your orders").count(), 0, "the page shows only what the person has");
	let held = await arrive(page);
	assert.equal(held.scope, "openid groups offline_access orders:read");
	assert.deepEqual(claims(held.id_token).groups, ["staff"]);
	assert.deepEqual([claims(held.access_token).groups, claims(held.access_token).email_verified], [["staff"], true]);
	assert.equal(role(claims(held.access_token).groups), "Viewer");
	assert.equal(await (await call("", held)).text(), "staff");
	const refused = await call("admin", held);
	assert.equal(refused.status, 403);

	// An editor too: what was never granted needs a new sign-in; what is granted then is on the page, in the operator's words.
	await member(gateway.folder, "staff", "writers");
	held = (await settled(() => refresh(held), ({ body }) => { Object.assign(held, body); return claims(body.access_token).groups.includes("editors"); })).body;
	assert.equal(held.scope, "openid groups offline_access orders:read");
	assert.equal((await token({ grant_type: "refresh_token", refresh_token: held.refresh_token, scope: "orders:write" })).body.error, "invalid_scope");
	await page.goto(authorize());
	await page.getByText("Change your orders").waitFor();
	await shoot(page, "groups-consent-320");
	held = await arrive(page);
	assert.equal(held.scope, "openid groups offline_access orders:read orders:write");
	assert.equal(role(claims(held.access_token).groups), "Editor");
	assert.equal((await call("admin", held)).status, 200);

	// A group is lost: its scope is left out at the next refresh, and comes back with it.
	await member(gateway.folder, "staff");
	held = (await settled(() => refresh(held), ({ body }) => { Object.assign(held, body); return !body.scope.includes("orders:write"); })).body;
	assert.equal((await call("admin", held)).status, 403);
	await member(gateway.folder, "writers");
	held = (await settled(() => refresh(held), ({ body }) => { Object.assign(held, body); return body.scope.includes("orders:write"); })).body;

	// In no group that the wiki is for: refused, and nothing is spent. Back again, the same token is good.
	await member(gateway.folder, "others");
	const gone = await settled(() => refresh(held), ({ status, body }) => { if (status === 200) Object.assign(held, body); return status !== 200; });
	assert.deepEqual([gone.status, gone.body.error], [400, "invalid_grant"]);
	await member(gateway.folder, "staff");
	const back = await settled(() => refresh(held), ({ status }) => status === 200);
	assert.equal(back.body.scope, "openid groups offline_access orders:read");
});
