// Signing out at a provider of others reaches what people have here.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { callAPI } from "../harness/gateway.mjs";
import { press } from "../harness/app.mjs";
import { signIn } from "../harness/browser.mjs";
import { chooser, startLogins } from "../harness/logins.mjs";

let l;
before(async () => { l = await startLogins("logout_upstream"); });
after(() => l?.stop());

// leaves signs out at the provider, which tells everybody who has to know before it answers.
async function leaves(page) {
	await page.goto(`${l.node.issuer}/session/end`);
	await page.getByRole("button", { name: "Yes, sign me out" }).click();
	await page.getByText("Sign-out Success").waitFor();
}

test("back-channel logout of node-oidc-provider: the session of one browser ends, that of another goes on", async (t) => {
	const laptop = await l.visitor(t), phone = await l.visitor(t);
	const there = await l.tokens(await l.comesIn(phone));
	const here = await l.tokens(await l.comesIn(laptop));
	await leaves(laptop);
	assert.equal((await callAPI(l.gateway, here.access_token)).status, 401);
	assert.equal((await l.refresh(here.refresh_token)).body.error, "invalid_grant");
	await laptop.goto(l.authorize());
	await chooser(laptop);

	assert.equal((await callAPI(l.gateway, there.access_token)).status, 200);
	assert.equal((await l.refresh(there.refresh_token)).status, 200);
	await phone.goto(l.authorize());
	assert.ok((await l.arrives(phone)).get("code"));

	const again = await l.tokens(await l.comesIn(laptop)); // and in again
	assert.equal((await callAPI(l.gateway, again.access_token)).status, 200);
});

test("signing out here signs out at node-oidc-provider too, and comes back to the application", async (t) => {
	const page = await l.visitor(t);
	const here = await l.tokens(await l.comesIn(page));
	const end = new URL(l.gateway.issuer + "oidc/logout");
	end.search = new URLSearchParams({ id_token_hint: here.id_token, post_logout_redirect_uri: l.app.bye, state: "bye" });
	await page.goto(end.href);
	assert.ok(page.url().startsWith(l.node.issuer), page.url());
	assert.equal((await callAPI(l.gateway, here.access_token)).status, 401, "ours ends first");
	await page.getByRole("button", { name: "Yes, sign me out" }).click();
	assert.equal((await l.arrives(page, "bye")).get("state"), "bye");

	await page.goto(l.authorize());
	await press(page, "Continue with Node account");
	await page.getByRole("heading", { name: "Which account?" }).waitFor();
	assert.equal(await page.getByRole("button", { name: "Go on as ada" }).count(), 0, "it still knows who was there");
	assert.match(l.node.asked.at(-1).get("prompt"), /select_account/);
});

test("signing out from the account page ends on a page that says it is done", async (t) => {
	const page = await l.visitor(t);
	await l.comesIn(page);
	await page.goto(l.gateway.issuer + "account");
	await page.getByRole("button", { name: "Sign out", exact: true }).click();
	await page.getByRole("button", { name: "Yes, sign me out" }).click();
	await page.getByRole("heading", { name: "You are signed out" }).waitFor();
	assert.equal(await page.getByText("You may still be signed in").count(), 0);
});

// soon waits until something is true, as what one gateway tells another takes a moment.
async function soon(what, until) {
	for (let i = 0; i < 150; i++) {
		if (await until()) return;
		await pause(100);
	}
	assert.fail(what);
}

const told = ({ claims: { sub, sid } }) => l.app.signedOut.some((token) => token.sub === sub && token.sid === sid);

test("back-channel logout of a second Gatehouse, passed on to our applications: one browser, and then all of a person", async (t) => {
	const laptop = await l.visitor(t), phone = await l.visitor(t);
	const there = await l.tokens(await l.comesByOther(phone)), here = await l.tokens(await l.comesByOther(laptop));
	await laptop.goto(l.second.issuer + "oidc/logout");
	await press(laptop, "Sign out");
	await laptop.getByRole("heading", { name: "You are signed out" }).waitFor();
	await soon("it has not ended here", async () => (await callAPI(l.gateway, here.access_token)).status === 401);
	assert.equal((await l.refresh(here.refresh_token)).body.error, "invalid_grant");
	await soon("the application was not told", () => told(here));
	await laptop.goto(l.authorize());
	await chooser(laptop);

	assert.equal((await callAPI(l.gateway, there.access_token)).status, 200);
	assert.ok(!told(there), "it was told of another session");
	const again = await l.tokens(await l.comesByOther(laptop));
	await phone.goto(l.second.issuer + "account");
	await press(phone, "Sign out everywhere");
	await soon("not all has ended here", async () => (await Promise.all([there, again].map((held) => callAPI(l.gateway, held.access_token)))).every(({ status }) => status === 401));
	await soon("the application was not told of all", () => told(there) && told(again));
});

test("signing out here signs out at a second Gatehouse too, and comes back without a question", async (t) => {
	const page = await l.visitor(t);
	const here = await l.tokens(await l.comesByOther(page));
	const end = new URL(l.gateway.issuer + "oidc/logout");
	end.search = new URLSearchParams({ id_token_hint: here.id_token, post_logout_redirect_uri: l.app.bye, state: "bye" });
	await page.goto(end.href);
	assert.equal((await l.arrives(page, "bye")).get("state"), "bye");
	await soon("the application was not told", () => told(here));
	await page.goto(l.authorize());
	await press(page, "Continue with The other Gatehouse");
	await signIn(page); // who has to prove who they are
	assert.ok((await l.arrives(page)).get("code"));
});
