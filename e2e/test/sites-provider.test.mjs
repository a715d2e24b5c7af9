// Three sites of two domains, whose people sign in at node-oidc-provider: what ends anywhere ends at all of them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { slow } from "../harness/browser.mjs";
import { caddy } from "../harness/gateway.mjs";
import { signInThere } from "../harness/provider.mjs";
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
});

test("F62: a double click on a site's sign-out leads to the provider, and signs out there once", async (t) => {
	const page = await slow((await s.visitor(t)).context());
	await s.comesIn(page, "ada");
	for (const answered of [false, true]) { // the second click comes before the answer to the first, and after it
		await page.evaluate(() => { document.body.innerHTML = '<form method="post" action="/.gatehouse/logout"><button>Sign out</button></form>'; });
		const { x, y, width, height } = await page.getByRole("button", { name: "Sign out" }).boundingBox();
		const first = page.waitForResponse(/\.gatehouse\/logout$/);
		for (let click = 1; click <= 2; click++) {
			await page.mouse.click(x + width / 2, y + height / 2);
			if (answered) await first;
		}
		await page.getByRole("button", { name: "Yes, sign me out" }).click();
		await page.getByText("You are signed out").waitFor();
		assert.ok(page.url().startsWith(s.issuer + "signed-out/node"), page.url());
		assert.deepEqual(await s.signedIn(page), []);
		if (!answered) {
			await s.later(page);
			await page.goto(s.wiki + "/page?x=1#part-2");
			await page.getByRole("button", { name: "Continue with node" }).click();
			await signInThere(page, "ada");
			await heading(page, "GET /page?x=1");
		}
	}
});

test("P15: the provider goes down: who is signed in stays so, and who is not has a page and a way on", async (t) => {
	const page = await s.visitor(t), late = await s.visitor(t);
	await s.comesIn(page, "grace");
	await s.node.down();
	for (const site of ["wiki", "board", "other"]) {
		await page.goto(s[site] + "/still");
		await heading(page, "GET /still");
	}
	assert.equal((await fetched(page, "/save", { method: "POST" })).status, 200);

	// What the browser itself shows is all that the first ones see, who go back and try again.
	const away = late.getByText("node cannot be reached right now");
	for (let refused = 0; await away.count() === 0; refused++) {
		await late.goto(s.wiki + "/page");
		await late.waitForURL((at) => at.origin !== s.wiki);
		await late.waitForLoadState();
		if (refused === 0) assert.equal(await away.count(), 0);
		if (await away.count() === 0) await late.goBack();
		await late.waitForTimeout(1_000);
	}
	assert.ok(s.gateway.said(/login_broken.*no_discovery/));
	await s.node.up();
	await late.getByRole("button", { name: "Continue with node" }).click();
	await signInThere(late, "grace");
	await heading(late, "GET /page");
});
