// Three sites of two domains, whose people sign in at node-oidc-provider: what ends anywhere ends at all of them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { caddy } from "../harness/gateway.mjs";
import { fetched, heading, openSocket, startSites } from "../harness/sites.mjs";

let s;
before(async () => { s = await startSites(); });
after(() => s?.stop());

test("P19: the provider's back-channel logout reaches all three sites, and what is open there", async (t) => {
	const page = await s.visitor(t), phone = await s.visitor(t);
	await s.comesIn(phone, "ada");
	await s.comesIn(page, "ada");
	assert.deepEqual([s.app.seen.at(-1).headers["x-user-id"], s.app.seen.find((r) => r.headers["x-user-email"]).headers["x-user-email"]], ["node|ada", "ada@example.org"]);
	assert.deepEqual(await s.signedIn(page), ["wiki", "board", "other"]);
	assert.ok(await openSocket(page, s.other.replace("http", "ws") + "/socket"));
	const away = await page.context().newPage();
	await away.goto(`${s.node.issuer}/session/end`);
	await away.getByRole("button", { name: "Yes, sign me out" }).click();
	await away.getByText("Sign-out Success").waitFor();
	assert.equal(await page.evaluate(() => window.socketClosed), true);
	assert.deepEqual(await s.signedIn(page), []);
	assert.equal((await fetched(page, "/api")).status, 401);
	await s.later(page);
	await page.reload();
	await page.getByLabel("Name at the provider").waitFor(); // the way back begins at the provider
	assert.deepEqual(await s.signedIn(phone), ["wiki", "board", "other"]); // another session there
	const said = s.app.seen.filter((r) => /gatehouse/.test(r.headers.cookie ?? ""));
	assert.deepEqual(said, [], "a cookie of ours went upstream");
});

test("caddy oauth users end reaches all sites of all browsers of a person, and nobody else", async (t) => {
	const laptop = await s.visitor(t), phone = await s.visitor(t), others = await s.visitor(t);
	await s.comesIn(laptop, "ada");
	await s.comesIn(phone, "ada");
	await s.comesIn(others, "grace");
	const { stdout } = await promisify(execFile)(caddy, ["oauth", "users", "end", "node|ada", "--address", s.admin]);
	assert.match(stdout, /^ended: [1-9]/);
	assert.deepEqual([await s.signedIn(laptop), await s.signedIn(phone), await s.signedIn(others)], [[], [], ["wiki", "board", "other"]]);
});

test("signing out everywhere at /account reaches the sites of all browsers", async (t) => {
	const laptop = await s.visitor(t), phone = await s.visitor(t);
	await s.comesIn(laptop, "grace");
	await s.comesIn(phone, "grace");
	await phone.goto(s.issuer + "account");
	await phone.locator('button[value="everywhere"]').click();
	await phone.waitForLoadState();
	assert.deepEqual([await s.signedIn(laptop), await s.signedIn(phone)], [[], []]);
	await s.later(laptop);
	await laptop.goto(s.board + "/again");
	await laptop.waitForURL((url) => !url.href.startsWith(s.board)); // to sign in
});
