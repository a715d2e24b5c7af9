// What a person agrees to: asked once, not again, more alone, and taken back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { press, startApp } from "../harness/app.mjs";
import { launch, signIn } from "../harness/browser.mjs";
import { start } from "../harness/gateway.mjs";

let app, gateway, browser;
before(async () => {
	app = await startApp();
	[gateway, browser] = await Promise.all([start(app.clients), launch()]);
});
after(async () => {
	await browser?.close();
	await gateway?.stop();
	app?.close();
});

test("H10: a consent is asked once, and the difference alone", async (t) => {
	const context = await app.visitor(t, browser);
	const page = await context.newPage();
	const ask = (scope, more) => page.goto(app.authorize(gateway, { client_id: "asks-first", scope, ...more }));
	const answer = async () => (await app.arrives(gateway, page))[0];
	await ask("openid");
	await signIn(page);
	await page.getByText("Know who you are").waitFor();
	await press(page, "Allow");
	assert.ok((await answer()).get("code"));
	for (const more of [{}, { prompt: "none" }]) {
		await ask("openid", more);
		assert.ok((await answer()).get("code"), "it is not asked again");
	}
	await ask("openid email", { prompt: "none" });
	assert.equal((await answer()).get("error"), "consent_required");
	await ask("openid email");
	await page.getByText("See your email address").waitFor();
	assert.equal(await page.getByText("Know who you are").count(), 0, "the difference alone");
	await press(page, "Allow");
	assert.ok((await answer()).get("code"));
	await ask("openid email", { prompt: "consent" });
	await page.getByText("Know who you are").waitFor();
	await press(page, "Deny");
	assert.equal((await answer()).get("error"), "access_denied");
});
