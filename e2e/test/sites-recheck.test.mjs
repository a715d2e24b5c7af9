// What a provider of others says of people when it is asked again holds at sites.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fetched, heading, startSites } from "../harness/sites.mjs";

let s;
before(async () => { s = await startSites(); });
after(() => s?.stop());

// The provider is asked again after a minute, when a site asks for news of somebody.
test("a lost group and a removed person, as the provider says when it is asked again", async (t) => {
	const ada = await s.visitor(t), grace = await s.visitor(t), mary = await s.visitor(t);
	await s.comesIn(ada, "ada");
	await s.comesIn(grace, "grace");
	await s.comesIn(mary, "mary", [s.other]);
	assert.equal(s.app.seen.filter((r) => r.headers["x-user-email"]?.startsWith("mary")).length, 0, "her address is not verified");
	await mary.goto(s.board + "/");
	await mary.getByText("This account may not open this page").waitFor(); // never was an editor
	s.node.people.get("ada").groups = ["staff"];
	s.node.remove("grace");
	await ada.goto(s.board + "/x");
	await grace.goto(s.wiki + "/x");
	for (const end = Date.now() + 90_000; ;) { // both go on working
		const [board, wiki] = [await fetched(ada, "/api"), await fetched(grace, "/api")];
		if (board.status === 403 && wiki.status === 401) break;
		assert.ok(Date.now() < end, `the board says ${board.status}, the wiki ${wiki.status}`);
		await pause(1_000);
	}
	await ada.goto(s.board + "/x");
	await ada.getByText("This account may not open this page").waitFor();
	await ada.goto(s.wiki + "/x"); // where her group does not matter
	await heading(ada, "GET /x");
	assert.deepEqual(await s.signedIn(grace), []);
	await s.later(grace);
	await grace.goto(s.other + "/");
	await grace.waitForURL((url) => !url.href.startsWith(s.other)); // to sign in
});
