// Sites beside others, and behind a cache that many people share.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { heading, openSocket, startSites } from "../harness/sites.mjs";

let s;
before(async () => { s = await startSites(); });
after(() => s?.stop());

test("C6, R12: a cache in front keeps what is public and hands nobody what was somebody's", async (t) => {
	const page = await s.visitor(t), stranger = await s.visitor(t);
	await s.comesIn(page, "ada", []);
	const answer = await page.goto(s.wiki + "/static/mine");
	await heading(page, "GET /static/mine");
	assert.deepEqual([answer.headers()["cache-control"], answer.headers()["cdn-cache-control"]], ["private, max-age=3600", undefined]);
	await stranger.goto(s.wiki + "/static/mine");
	await stranger.getByLabel("Name at the provider").waitFor();
	assert.deepEqual(s.cache.served, []);
	for (const visitor of [page, stranger]) {
		await visitor.goto(s.wiki + "/static/open/a");
		await heading(visitor, "GET /static/open/a");
		await visitor.getByText("For undefined").waitFor();
	}
	assert.deepEqual(s.cache.served, ["/static/open/a"]); // it does keep what it may
});

test("N13, R1: a sibling that the site names reads and opens what is there, another origin does not", async (t) => {
	const page = await s.visitor(t);
	await s.comesIn(page, "ada");
	const tries = (from) => page.evaluate(async ([wiki, from]) => {
		const answer = await fetch(wiki + "/api", { method: "PUT", credentials: "include", headers: { "X-Asks": from } }).catch(() => undefined);
		return answer && [answer.status, await answer.text()];
	}, [s.wiki, from]);
	await page.goto(s.board + "/panels");
	const [status, text] = await tries("board");
	assert.equal(status, 200);
	assert.match(text, /PUT \/api[^]*For node\|ada/);
	assert.ok(await openSocket(page, s.wiki.replace("http", "ws") + "/socket"));
	await page.evaluate((wiki) => { document.body.innerHTML = `<iframe src="${wiki}/panel"></iframe>`; }, s.wiki);
	await page.frameLocator("iframe").getByRole("heading", { name: "GET /panel" }).waitFor();

	await page.goto(s.other + "/");
	assert.equal(await tries("other"), undefined);
	assert.equal(await openSocket(page, s.wiki.replace("http", "ws") + "/socket"), false);
	await page.goto(s.wiki + "/"); // which the board has not named
	assert.equal(await page.evaluate(async (board) => (await fetch(board + "/api", { credentials: "include" }).catch(() => undefined))?.status, s.board), undefined);
	assert.equal(s.app.seen.filter((r) => r.headers["x-asks"] === "other").length, 0);
});
