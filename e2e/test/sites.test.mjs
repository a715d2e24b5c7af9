// Three sites behind require_login, of two hosts: what a person does there, in a real browser.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, profile, signIn } from "../harness/browser.mjs";
import { alice, aliceHash, freePlaces, serve } from "../harness/gateway.mjs";
import { fetched, heading, openSocket, siteBlock, startApplication } from "../harness/sites.mjs";

let gateway;
let browser;
let app;

before(async () => {
	app = await startApplication();
	const [issuer, a, b, c] = await freePlaces(4);
	const places = { issuer, wiki: a.slice(0, -1), board: b.slice(0, -1), other: c.slice(0, -1).replace("localhost", "127.0.0.1") };
	[gateway, browser] = await Promise.all([serve(places, ({ folder }) => `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	storage file_system ${folder}/caddy
	oauth {
		issuer ${issuer}
		store bolt ${folder}/gatehouse.db
		login local {
			user ${alice.username} ${aliceHash} {
				groups staff
			}
		}
	}
}
${issuer.slice(0, -1)} {
	oauth_server
}
${siteBlock(places.wiki, app)}${siteBlock(places.board, app, "for admins")}${siteBlock(places.other, app, "public /health")}`), launch()]);
});
after(async () => {
	await browser?.close();
	await gateway?.stop();
	app?.close();
});

test("one sign-in is good for all sites, and deep links and fragments are kept", async () => {
	const context = await profile(browser);
	const page = await context.newPage();
	await page.goto(gateway.wiki + "/page?x=1&y=%2F#part-2");
	await signIn(page);
	await heading(page, "GET /page?x=1y=%2F");
	assert.equal(page.url(), gateway.wiki + "/page?x=1&y=%2F#part-2");

	await page.goto(gateway.other + "/deep#there"); // another host: no password
	await heading(page, "GET /deep");
	assert.equal(page.url(), gateway.other + "/deep#there");
	assert.deepEqual(app.seen.filter((r) => r.headers.cookie?.includes("gatehouse")), []);
	assert.equal(app.seen.at(-1).headers["x-user-id"], "local|alice");

	await page.goto(gateway.board + "/"); // not for her groups
	await page.getByText("This account may not open this page").waitFor();
	await context.close();
});

test("tabs that are opened at once each end where they wanted to be, and Back is fine", async () => {
	const context = await profile(browser);
	const tabs = await Promise.all([1, 2, 3].map(async (n) => {
		const tab = await context.newPage();
		await tab.goto(`${gateway.wiki}/tab${n}`);
		await tab.getByLabel("Password").waitFor();
		return tab;
	}));
	for (const [i, tab] of tabs.entries()) {
		await signIn(tab);
		await heading(tab, `GET /tab${i + 1}`);
	}
	await tabs[0].goto(gateway.wiki + "/next");
	await tabs[0].goBack();
	await heading(tabs[0], "GET /tab1");
	await context.close();
});

test("a session that ends while a page is open: fetch, form and WebSocket", async () => {
	const context = await profile(browser);
	const page = await context.newPage();
	await page.goto(gateway.wiki + "/editor");
	await signIn(page);
	await heading(page, "GET /editor");
	assert.ok(await openSocket(page, gateway.wiki.replace("http", "ws") + "/socket"));
	const second = await context.newPage();
	await second.goto(gateway.other + "/");
	await heading(second, "GET /");
	const out = await fetched(second, "/.gatehouse/logout", { method: "POST", redirect: "manual" });
	assert.equal(out.text, ""); // a redirect to the issuer
	assert.equal(await page.evaluate(() => window.socketClosed), true); // at the other site

	const answer = await fetched(page, "/api");
	assert.equal(answer.status, 401);
	assert.match(answer.type, /^application\/problem\+json/);
	assert.match(answer.text, /\.gatehouse\/login/);
	const before = app.seen.length;
	await page.getByRole("button", { name: "Save" }).click();
	await page.getByText("nothing was sent to the application").waitFor();
	assert.equal(app.seen.length, before);
	const [again] = await Promise.all([context.waitForEvent("page"), page.getByRole("link", { name: "Sign in in a new tab" }).click()]);
	const closed = again.waitForEvent("close"); // by itself
	await signIn(again);
	await closed;
	await page.reload(); // the browser sends the form again
	await heading(page, "POST /save");
	await context.close();
});

test("what a client says of itself is not heard, and pages of others get nothing", async () => {
	const context = await profile(browser);
	const answer = await context.request.get(gateway.other + "/health", { headers: { "X-User-Id": "local|alice", "Remote-User": "alice", "x~user~id": "a" } });
	assert.equal(answer.status(), 200);
	assert.deepEqual(Object.keys(app.seen.at(-1).headers).filter((name) => /user/.test(name) && name !== "user-agent"), []);
	const page = await context.newPage();
	await page.goto(gateway.wiki + "/");
	await signIn(page);
	await heading(page, "GET /");
	await page.goto(gateway.other + "/health"); // a page of another host, and of another port
	assert.equal(await openSocket(page, gateway.wiki.replace("http", "ws") + "/socket"), false);
	await context.close();
});
