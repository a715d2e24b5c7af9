// Tabs that are opened at once, and cookies that are deleted while a page is open.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { press, startApp } from "../harness/app.mjs";
import { launch, shoot, signIn, signsIn, slow } from "../harness/browser.mjs";
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

const authorize = (parameters) => app.authorize(gateway, parameters);
const consent = (parameters) => authorize({ client_id: "asks-first", prompt: "consent", ...parameters });
const arrives = (page, path) => app.arrives(gateway, page, path);

test("S4: three tabs at once, with 150 ms of latency and no cookie", async (t) => {
	const context = await app.visitor(t, browser);
	const tabs = await Promise.all([slow(context), slow(context), slow(context)]);
	await Promise.all(tabs.map((page, i) => page.goto(authorize({ state: `tab ${i}` }))));
	for (const [i, page] of tabs.entries()) {
		await page.bringToFront();
		assert.ok(await signsIn(page) <= 2);
		const [answer, ...more] = await arrives(page);
		assert.deepEqual([answer.get("state"), answer.has("code"), more.length], [`tab ${i}`, true, 0]);
	}
});

test("S4: cookies are deleted while the login page is open", async (t) => {
	const context = await app.visitor(t, browser);
	const [first, second] = [await context.newPage(), await context.newPage()];
	await first.goto(authorize({ state: "first" }));
	await context.clearCookies();
	await second.goto(authorize({ state: "second" }));
	assert.equal(await signsIn(second), 1);
	assert.equal((await arrives(second))[0].get("state"), "second");
	assert.equal(await signsIn(first), 2);
	assert.equal((await arrives(first))[0].get("state"), "first");
	const { expires } = (await context.cookies()).find(({ name }) => name.endsWith("gatehouse_browser"));
	assert.ok(expires > Date.now() / 1000 + 300 * 24 * 3600, "restored tabs begin with a cookie");
});

test("S4: cookies are deleted while the consent and the logout page are open", async (t) => {
	const context = await app.visitor(t, browser);
	const page = await context.newPage();
	await page.goto(consent());
	await signIn(page);
	await page.getByRole("heading", { name: "Allow access?" }).waitFor();
	await context.clearCookies();
	await press(page, "Allow");
	await page.getByText("Please sign in again").waitFor();
	await signIn(page);
	await press(page, "Allow");
	assert.ok((await arrives(page))[0].get("code"));

	await page.goto(app.logout(gateway));
	await page.getByText("Alice Liddell").waitFor();
	await context.clearCookies();
	await press(page, "Sign out");
	await page.getByText("This page was out of date").waitFor();
	await shoot(page, "logout-again");
	await press(page, "Sign out");
	assert.equal((await arrives(page, "bye"))[0].get("state"), "s");
});
