// People sign in at providers of others: at node-oidc-provider, and at a second Gatehouse.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { press } from "../harness/app.mjs";
import { shoot, signIn, slow } from "../harness/browser.mjs";
import { alice } from "../harness/gateway.mjs";
import { atNode, chooser, small, startLogins } from "../harness/logins.mjs";
import { signInThere } from "../harness/provider.mjs";

let l;
before(async () => { l = await startLogins(); });
after(() => l?.stop());

for (const javaScriptEnabled of [true, false]) {
	test(`by each provider, ${javaScriptEnabled ? "with" : "without"} JavaScript`, async (t) => {
		const page = await l.visitor(t, { javaScriptEnabled, ...(javaScriptEnabled ? {} : small) });
		await page.goto(l.authorize());
		await chooser(page);
		await shoot(page, `provider-chooser-${javaScriptEnabled ? "desktop" : "320"}`);
		const ada = await l.tokens(await l.comesIn(page));
		assert.deepEqual([ada.claims.sub, ada.claims.name, ada.claims.email, ada.claims.email_verified], ["node|ada", "Ada Lovelace", "ada@example.org", true]);

		const other = await l.visitor(t, { javaScriptEnabled });
		await other.goto(l.authorize());
		await press(other, "Continue with The other Gatehouse");
		assert.ok(other.url().startsWith(l.second.issuer), other.url());
		await signIn(other);
		const { claims } = await l.tokens(await l.arrives(other));
		assert.deepEqual([claims.sub, claims.name], ["second|local|alice", "Alice Liddell"]);
	});
}

test("straight there where a client takes one login, and by SSO of the provider without a click", async (t) => {
	const page = await l.visitor(t);
	await page.goto(l.authorize({ client_id: "one" }));
	await signInThere(page, "ada");
	assert.equal((await l.tokens(await l.arrives(page), "one")).claims.sub, "node|ada");
	await page.context().clearCookies({ domain: "localhost" });
	await page.goto(l.authorize({ client_id: "one", state: "again" }));
	assert.equal((await l.arrives(page)).get("state"), "again");
});

test("F01: three tabs at once, with 150 ms of latency", async (t) => {
	const context = await l.app.visitor(t, l.browser);
	const tabs = await Promise.all([slow(context), slow(context), slow(context)]);
	await Promise.all(tabs.map((page, i) => page.goto(l.authorize({ client_id: "one", state: `tab ${i}` }))));
	for (const page of tabs) await atNode(page);
	for (const [i, page] of tabs.entries()) {
		await page.bringToFront();
		await signInThere(page, "ada");
		const answer = await l.arrives(page);
		assert.deepEqual([answer.get("state"), answer.has("code")], [`tab ${i}`, true]);
	}
});

test("F06: Back, and the callback once more", async (t) => {
	const page = await l.visitor(t);
	let callback;
	page.on("request", (request) => { if (request.url().startsWith(l.gateway.issuer + "callback/")) callback = request.url(); });
	const first = await l.comesIn(page);
	await page.goto(callback); // F5
	const again = await l.arrives(page);
	assert.equal(again.get("state"), first.get("state"));
	assert.notEqual(again.get("code"), first.get("code"));
	assert.equal((await l.app.redeem(l.gateway, { code: again.get("code"), client_id: "orders" })).status, 200);

	// Back leads to the page with all logins, which still works.
	await page.goto(l.authorize({ prompt: "login" }));
	await press(page, "Continue with Node account");
	await atNode(page);
	await page.goBack();
	await chooser(page);
	await press(page, "Continue with Node account");
	await signInThere(page, "ada");
	await l.arrives(page);

	// In another browser it is nobody's.
	const other = await l.visitor(t, small);
	assert.equal((await other.goto(callback)).status(), 400);
	await other.getByText("cannot be continued").waitFor();
	await shoot(other, "provider-stray-320");
});

test("a link back to where one came from, byte for byte", async (t) => {
	const page = await l.visitor(t);
	const state = "/orders/7?tab=Über uns&x=%2F+&y=\"<'>#1";
	const answer = await l.comesIn(page, "ada", { state });
	assert.equal(answer.get("state"), state);
	await l.tokens(answer);
});

test("F75: connection= and the domain of login_hint choose, and the login used last is the first", async (t) => {
	const page = await l.visitor(t);
	await page.goto(l.authorize({ connection: "node", login_hint: "ada" }));
	await atNode(page);
	assert.equal(await page.getByLabel("Name at the provider").inputValue(), "ada");
	await page.goto(l.authorize({ connection: "second", login_hint: "alice" }));
	assert.equal(await page.getByLabel("Username").inputValue(), "alice");
	await page.goto(l.authorize({ connection: "nobody" }));
	await chooser(page);
	await page.goto(l.authorize({ client_id: "one", connection: "second" })); // which is not one of this client
	await atNode(page);

	await page.goto(l.authorize());
	await press(page, "Continue with The other Gatehouse");
	await signIn(page);
	await l.arrives(page);
	await page.goto(l.authorize({ prompt: "select_account" }));
	const labels = await page.getByRole("button", { name: "Continue with" }).allInnerTexts();
	assert.equal(labels[0], "Continue with The other Gatehouse");
});

test("F67 to F69: prompt=none, prompt=login, max_age", async (t) => {
	const page = await l.visitor(t);
	await page.goto(l.authorize({ prompt: "none" }));
	assert.equal((await l.arrives(page)).get("error"), "login_required");
	const asked = l.node.asked.length;
	await l.comesIn(page);
	await page.goto(l.authorize({ prompt: "none" }));
	assert.ok((await l.arrives(page)).get("code"));
	assert.equal(l.node.asked.length, asked + 1);

	for (const parameters of [{ prompt: "login" }, { max_age: "0" }, { prompt: "login", client_id: "one" }]) {
		const began = Math.floor(Date.now() / 1000);
		await page.goto(l.authorize(parameters));
		if (!parameters.client_id) await press(page, "Continue with Node account");
		await atNode(page); // though it knows the person
		await signInThere(page, "ada");
		const { claims } = await l.tokens(await l.arrives(page), parameters.client_id);
		assert.ok(claims.auth_time >= began - 1, `auth_time ${claims.auth_time}, began ${began}`);
	}
	await page.goto(l.authorize({ max_age: "3600" })); // as long ago as that it is not
	assert.ok((await l.arrives(page)).get("code"));
});

test("/account shows the person", async (t) => {
	const page = await l.visitor(t, small);
	await l.tokens(await l.comesIn(page));
	await page.goto(l.gateway.issuer + "account");
	await page.getByText("Ada Lovelace").waitFor();
	await page.getByText("Orders").first().waitFor();
	await shoot(page, "provider-account-320");

	const other = await l.visitor(t);
	await other.goto(l.gateway.issuer + "account");
	await press(other, "Continue with Node account");
	await signInThere(other, "mary");
	await other.waitForURL(l.gateway.issuer + "account");
	await other.getByText("Mary Somerville").waitFor();
});

test("by the keyboard alone: the providers first, then the fields, then Cancel", async (t) => {
	const page = await l.visitor(t);
	await page.goto(l.authorize());
	const order = [];
	for (let i = 0; i < 8; i++) {
		await page.keyboard.press("Tab");
		order.push(await page.evaluate(() => document.activeElement.innerText || document.activeElement.name));
	}
	assert.deepEqual(order, ["Continue with Node account", "Continue with The other Gatehouse", "Continue with Late account", "username", "password", "Show password", "Sign in", "Cancel"]);
	await page.goto(l.authorize());
	await page.keyboard.press("Tab");
	await shoot(page, "provider-focus-desktop");
	await page.keyboard.press("Enter");
	await atNode(page);

	// Enter in the fields is the password, not a provider.
	await page.goto(l.authorize());
	await page.getByLabel("Username").fill(alice.username);
	await page.getByLabel("Password").fill(alice.password);
	await page.getByLabel("Password").press("Enter");
	await l.arrives(page);
});
