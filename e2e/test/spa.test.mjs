// The single-page app that docs/spa.md shows, as it stands there.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { launch, profile, signIn } from "../harness/browser.mjs";
import { start } from "../harness/gateway.mjs";

const root = resolve(import.meta.dirname, "../..");
const sdk = "/auth0-spa-js.js";

let gateway;
let browser;
let app; // its server
let home;
before(async () => {
	app = createServer(answer);
	await new Promise((done) => app.listen(0, "127.0.0.1", done));
	home = `http://localhost:${app.address().port}/`;
	[gateway, browser] = await Promise.all([start(({ api }) => `
	client my-spa {
		type spa
		redirect_uris ${home}callback
		logout_uris ${home}
		apis ${api}
	}`), launch()]);
});
after(async () => {
	await browser?.close();
	app?.close();
	await gateway?.stop();
});

// snippet is the page's, with the places of this run.
async function snippet() {
	const [, code] = (await readFile(resolve(root, "docs/spa.md"), "utf8")).match(/```js\n(import \{ createAuth0Client \}.*?)```/s);
	return code
		.replace("'@auth0/auth0-spa-js'", `'${sdk}'`)
		.replace("'auth.example.com'", `'${gateway.issuer.slice(0, -1)}'`)
		.replace("https://app.example.com/", home)
		.replaceAll("https://api.example.com/orders", gateway.api + "orders")
		.replaceAll("https://api.example.com", gateway.api);
}

async function answer(request, response) {
	if (request.url === sdk) {
		response.setHeader("Content-Type", "text/javascript");
		return response.end(await readFile(resolve(root, "e2e/node_modules/@auth0/auth0-spa-js/dist/auth0-spa-js.production.esm.js")));
	}
	response.setHeader("Content-Type", "text/html");
	response.end(`<!doctype html><title>Orders</title><link rel="icon" href="data:,">
<button id="sign-in">Sign in</button><button id="sign-out">Sign out</button><pre id="orders"></pre>
<script type="module">${await snippet()};window.done = true;</script>`);
}

test("O5: the single-page app of the docs: cancel, sign in, reload, sign out", async () => {
	assert.doesNotMatch(await snippet(), /example\.com/);
	const context = await profile(browser);
	const page = await context.newPage();
	const errors = [];
	page.on("pageerror", (error) => errors.push(error.message));
	const shown = async () => {
		await page.waitForFunction(() => window.done);
		assert.equal(page.url(), home);
		return page.textContent("#orders");
	};
	const alice = /"user": "local\|alice"/;

	await page.goto(home);
	assert.equal(await shown(), "");
	await page.click("#sign-in");
	await page.getByRole("button", { name: "Cancel" }).click();
	await page.waitForURL(home + "**");
	assert.notEqual(await shown(), "");
	await page.reload();
	assert.equal(await shown(), "");

	await page.click("#sign-in");
	await signIn(page);
	await page.waitForURL(home + "**");
	assert.match(await shown(), alice);
	await page.reload();
	assert.match(await shown(), alice);

	await page.click("#sign-out");
	await page.waitForURL(home);
	await page.reload();
	assert.equal(await shown(), "");
	assert.deepEqual(errors, []);
	await context.close();
});
