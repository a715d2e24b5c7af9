// The demo of `make run`: Caddyfile.example with the app in examples/spa.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, profile, shoot, signIn } from "../harness/browser.mjs";
import { moved, startExample } from "../harness/gateway.mjs";

let gateway;
let browser;
before(async () => { [gateway, browser] = await Promise.all([startExample(), launch()]); });
after(async () => {
	await browser?.close();
	await gateway?.stop();
});

test("a newcomer sees rotation and reuse detection", async () => {
	const context = await profile(browser, { viewport: { width: 1200, height: 900 } });
	await context.route("**/config.js", async (route) => {
		const answer = await route.fetch();
		const text = moved(gateway, await answer.text());
		await route.fulfill({ response: answer, body: text.replace("LEEWAY_SECONDS = 10", "LEEWAY_SECONDS = 3") });
	});
	const page = await context.newPage();
	const problems = [];
	page.on("pageerror", (error) => problems.push(error.message));

	const press = (name) => page.getByRole("button", { name, exact: true }).click();
	const newest = page.locator("#log li").first();
	const says = (text) => newest.filter({ hasText: text }).waitFor();

	await page.goto(gateway.app);
	await shoot(page, "spa-signed-out");
	await press("Log in");
	await page.getByLabel("Username").waitFor(); // there is no picture of a page that is going away
	await shoot(page, "login-example");
	await signIn(page);
	await says("Logged in.");

	await press("Call the API");
	await says('"user": "local|alice"');
	await press("Refresh");
	await says("Rotated:");
	await press("Replay the old refresh token");
	await says("Within the leeway:");
	await shoot(page, "spa-leeway");

	await page.getByText("it counts as stolen").waitFor();
	await press("Replay the old refresh token");
	await says("Reuse:");
	await press("Call the API");
	await says("refused the access token (401)");
	await press("Refresh");
	await says("The gateway refused refresh token");
	await page.getByText("Claims of the access token").click();
	await shoot(page, "spa-reuse");
	await page.emulateMedia({ colorScheme: "dark" });
	await shoot(page, "spa-reuse-dark");
	await page.setViewportSize({ width: 360, height: 740 });
	await shoot(page, "spa-reuse-phone");
	await page.reload(); // O10: the library has kept the dead tokens
	await page.getByText("This login is over").waitFor();

	await press("Log out");
	await says("Logged out");
	assert.deepEqual(problems, []);
	await context.close();
});

test("127.0.0.1 leads to localhost", async () => {
	for (const place of [gateway.issuer, gateway.app, gateway.api]) {
		const answer = await fetch(place.replace("localhost", "127.0.0.1") + "some?q=1", { redirect: "manual" });
		assert.equal(answer.headers.get("Location"), place + "some?q=1");
	}
});

test("the machine client and the metadata of the API", async () => {
	const answer = await fetch(gateway.issuer + "oauth/token", {
		method: "POST",
		headers: { Authorization: "Basic " + btoa("demo-worker:worker-demo-secret") },
		body: new URLSearchParams({ grant_type: "client_credentials", audience: gateway.api }),
	});
	const { access_token: token } = await answer.json();
	gateway.secret(token);
	const echo = await (await fetch(gateway.api + "orders", { headers: { Authorization: `Bearer ${token}`, "X-User-Id": "mallory" } })).json();
	assert.equal(echo.user, "demo-worker@clients");
	assert.equal(echo.headers["X-User-Id"], "demo-worker@clients");

	const refused = await fetch(gateway.api + "orders");
	assert.equal(refused.status, 401);
	const metadata = refused.headers.get("WWW-Authenticate").match(/resource_metadata="([^"]+)"/)[1];
	assert.deepEqual((await (await fetch(metadata)).json()).authorization_servers, [gateway.issuer]);
});

test("a site for people asks for a login, knows who it is, and signs out", async () => {
	const context = await profile(browser);
	const page = await context.newPage();
	await page.goto(gateway.site + "whoami");
	await signIn(page);
	await page.getByText("You are alice (local|alice).").waitFor();
	assert.equal(page.url(), gateway.site + "whoami");
	await page.goto(gateway.site);
	await page.getByRole("button", { name: "Sign out" }).click();
	await page.getByRole("heading", { name: "You are signed out" }).waitFor();
	const answer = await context.request.get(gateway.site + "whoami");
	assert.equal(answer.status(), 401);
	await context.close();
});
