// Signing out at a provider of others reaches what people have here.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { callAPI } from "../harness/gateway.mjs";
import { press } from "../harness/app.mjs";
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
