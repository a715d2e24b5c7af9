// Signing out at a provider of others reaches what people have here.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { callAPI } from "../harness/gateway.mjs";
import { chooser, startLogins } from "../harness/logins.mjs";

let l;
before(async () => { l = await startLogins(); });
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
