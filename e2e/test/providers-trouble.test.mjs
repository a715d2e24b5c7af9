// What goes wrong at providers of others, and what people do then: each page has a way on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { press } from "../harness/app.mjs";
import { shoot } from "../harness/browser.mjs";
import { atNode, small, startLogins } from "../harness/logins.mjs";
import { signInThere } from "../harness/provider.mjs";

let l;
before(async () => { l = await startLogins(); });
after(() => l?.stop());

test("the provider hangs up: the page says so and has ways on, and then it works", async (t) => {
	const page = await l.visitor(t, small);
	await page.goto(l.authorize({ state: "down" }));
	await press(page, "Continue with Node account");
	await atNode(page);
	l.node.dies = true;
	await signInThere(page, "ada");
	await page.getByText("Node account cannot be reached right now").waitFor();
	await shoot(page, "provider-down-320");
	l.node.dies = false;
	await press(page, "Continue with Node account");
	assert.equal((await l.arrives(page)).get("state"), "down");
});

test("F13: the provider is not there yet when the gateway starts", async (t) => {
	const page = await l.visitor(t);
	await page.goto(l.authorize());
	await press(page, "Continue with Late account");
	await page.getByText("Late account cannot be reached right now").waitFor();
	await shoot(page, "provider-late-desktop");
	await l.late.up();
	await l.goesToLate(page);
	await signInThere(page, "ada");
	assert.equal((await l.tokens(await l.arrives(page))).claims.sub, "late|ada");
});

test("slow by 5 s: the browser waits, and nobody else does", async (t) => {
	const [page, other] = [await l.visitor(t), await l.visitor(t)];
	l.node.latency = 5_000;
	t.after(() => { l.node.latency = 0; });
	await page.goto(l.authorize({ client_id: "one" }));
	const waits = signInThere(page, "ada");
	await l.comesInHere(other);
	assert.equal(l.node.held, 1, "somebody else has waited, too");
	await waits;
	assert.equal((await l.arrives(page)).get("state"), "a state");
});

test("F59: the wrong person reads who they are, and comes in as another", async (t) => {
	for (const options of [{ ...small, javaScriptEnabled: false }, {}]) {
		const page = await l.visitor(t, options);
		await page.goto(l.authorize({ client_id: "two", state: "refused" }));
		await press(page, "Continue with Node account");
		await signInThere(page, "eve");
		await page.getByText("This account cannot sign in here").waitFor();
		await page.getByText("node|eve").waitFor();
		await page.getByText("eve@example.net").waitFor();
		await page.getByRole("button", { name: "Continue with The other Gatehouse" }).waitFor();
		await shoot(page, `provider-refused-${options.viewport ? "320" : "desktop"}`);
		await page.reload(); // and nothing is worse
		await page.goto(l.authorize({ client_id: "two", state: "refused" }));
		await press(page, "Continue with Node account");
		await page.getByText("node|eve").waitFor();

		await press(page, "Use another account");
		await page.getByRole("heading", { name: "Which account?" }).waitFor();
		assert.equal(l.node.asked.at(-1).get("prompt"), "select_account");
		await signInThere(page, "ada");
		if (options.javaScriptEnabled === false) await press(page, "Continue"); // node-oidc-provider's own, when the person changes
		const answer = await l.arrives(page);
		assert.equal(answer.get("state"), "refused");
		assert.equal((await l.tokens(answer, "two")).claims.sub, "node|ada");

		await page.goto(l.authorize({ client_id: "two", prompt: "login" }));
		await press(page, "Continue with Node account");
		await signInThere(page, "eve");
		if (options.javaScriptEnabled === false) await press(page, "Continue");
		await press(page, "Cancel");
		assert.equal((await l.arrives(page)).get("error"), "access_denied");
	}
});

test("the person says no at the provider", async (t) => {
	const page = await l.visitor(t, small);
	await page.goto(l.authorize());
	await press(page, "Continue with Node account");
	await press(page, "Never mind");
	await page.getByText("The sign-in was canceled").waitFor();
	await shoot(page, "provider-canceled-320");
	await press(page, "Cancel");
	assert.equal((await l.arrives(page)).get("error"), "access_denied");
});

test("F60: signed out, and in again only by a click, as whom one chooses", async (t) => {
	const page = await l.visitor(t);
	await page.goto(l.authorize({ client_id: "one" }));
	await signInThere(page, "ada");
	await l.arrives(page);
	await page.goto(l.app.logout(l.gateway).replace("goes-on", "one"));
	await press(page, "Sign out");
	await l.arrives(page, "bye");
	await page.goto(l.authorize({ client_id: "one" }));
	await shoot(page, "provider-one-desktop");
	await press(page, "Continue with Node account");
	await page.getByRole("button", { name: "Go on as ada" }).click();
	await l.arrives(page);
	await page.goto(l.authorize({ client_id: "one" }));
	await l.arrives(page);
});

test("F17: the provider changes its keys without a word", async (t) => {
	await l.tokens(await l.comesIn(await l.visitor(t)));
	l.node.changeKeys();
	await l.tokens(await l.comesIn(await l.visitor(t)));
});

test("cookies are deleted while one is at the provider", async (t) => {
	const page = await l.visitor(t);
	await page.goto(l.authorize());
	await press(page, "Continue with Node account");
	await atNode(page);
	await page.context().clearCookies({ domain: "localhost" });
	await signInThere(page, "ada");
	await page.getByText("Go back to the application and sign in again").waitFor();
	assert.equal(l.app.seen.length, 0);
});
