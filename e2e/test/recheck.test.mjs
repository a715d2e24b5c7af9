// A provider of others is asked again about people, in the background of their refreshes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { press } from "../harness/app.mjs";
import { callAPI } from "../harness/gateway.mjs";
import { chooser, startLogins } from "../harness/logins.mjs";
import { signInThere } from "../harness/provider.mjs";

let l;
before(async () => { l = await startLogins("recheck 1m"); });
after(() => l?.stop());

// stay refreshes each second, as an application in use does, until something is true of
// the answer, and returns it.
async function stay(held, until, within = 75_000) {
	for (const end = Date.now() + within; ;) {
		const { status, body } = await l.refresh(held.refresh_token);
		if (status === 200) Object.assign(held, body);
		if (await until({ status, body })) return { status, body };
		assert.equal(status, 200, JSON.stringify(body));
		assert.ok(Date.now() < end, "it has not come");
		await pause(1_000);
	}
}

const userinfo = async ({ access_token }) => (await fetch(l.gateway.issuer + "userinfo", { headers: { Authorization: `Bearer ${access_token}` } })).json();
const refused = ({ status, body }) => status === 400 && body.error === "invalid_grant";

// Everybody signs in at once, since the provider is asked after most of a minute.
test("recheck: who stays, who was removed there, who lost a group, and a provider that is down", async (t) => {
	await l.late.up();
	const come = async (name, late) => {
		const page = await l.visitor(t);
		await page.goto(l.authorize());
		await (late ? l.goesToLate(page) : press(page, "Continue with Node account"));
		await signInThere(page, name);
		return { page, ...await l.tokens(await l.arrives(page)) };
	};
	const ada = await come("ada");
	const mary = await come("mary");
	const grace = await come("grace");
	const dora = await come("ada", true);
	assert.equal(l.node.again.length, 0, "nobody is asked about at once");

	l.node.people.get("ada").name = "Ada King";
	l.node.people.get("grace").groups = [];
	l.node.remove("mary");
	l.late.dies = true;

	await Promise.all([
		stay(ada, async () => (await userinfo(ada)).name === "Ada King"),
		stay(mary, refused),
		stay(grace, refused),
		stay(dora, () => l.late.missed > 0),
	]);
	for (const gone of [mary, grace]) {
		assert.equal((await callAPI(l.gateway, gone.access_token)).status, 401);
		await gone.page.goto(l.authorize());
		await chooser(gone.page);
	}
	for (const kept of [ada, dora]) {
		assert.equal((await callAPI(l.gateway, kept.access_token)).status, 200);
		await kept.page.goto(l.authorize());
	}
	assert.ok((await l.arrives(ada.page)).get("code"));
	await dora.page.getByText("Late account cannot be reached right now").waitFor(); // for a code somebody has to vouch for her

	// Up again, it is asked about dora with the token of before, and again with the next.
	l.late.dies = false;
	await stay(dora, () => l.late.again.includes("success"));
	assert.deepEqual(l.late.again, ["success"]);
	await press(dora.page, "Continue with Late account");
	assert.ok((await l.arrives(dora.page)).get("code"));
});
