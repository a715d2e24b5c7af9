// Every page in every language, as axe-core, a narrow window and a keyboard find it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launch, profile } from "../harness/browser.mjs";
import { alice, start } from "../harness/gateway.mjs";
import { languages, options, serveClient, sites, walk } from "../harness/pages.mjs";

const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

let gateway;
let browser;
let client;
let page;
before(async () => {
	[gateway, browser] = await Promise.all([start(options, sites), launch()]);
	client = serveClient(gateway);
	page = await (await profile(browser)).newPage();
});
after(async () => {
	client?.close();
	await browser?.close();
	await gateway?.stop(/"login":"company"|"status":503/);
});

// violations runs axe-core on the page as it is.
async function violations(options) {
	await page.evaluate(axe);
	const found = await page.evaluate(async (options) => (await globalThis.axe.run(document, { resultTypes: ["violations"], ...options })).violations, options);
	return found.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
}

for (const language of languages) {
	test(`axe-core finds nothing on any page: ${language}`, async () => {
		const seen = [];
		await walk(gateway, page, language, async (name) => {
			seen.push(name);
			const where = `${name} in ${language}`;
			assert.equal(await page.locator("html").getAttribute("lang"), language, where);
			// Colors are the same in each language, and take axe-core the longest.
			assert.deepEqual(await violations({ rules: { "color-contrast": { enabled: language === "en" } } }), [], where);
			await page.setViewportSize({ width: 320, height: 568 }); // also 1280 at 400 %
			assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 200))), [], where + ": wider than 320 pixels");
			await page.setViewportSize({ width: 1280, height: 800 });
			if (language === "en") {
				await page.emulateMedia({ colorScheme: "dark" });
				assert.deepEqual(await violations({ runOnly: ["color-contrast"] }), [], where + ", dark");
				await page.emulateMedia({ colorScheme: "light" });
			}
		});
		assert.equal(new Set(seen).size, 27);
	});
}

test("O9: a password can be shown, by the keyboard too, and is none that the browser would keep as a text", async () => {
	await page.setExtraHTTPHeaders({ "Accept-Language": "en" });
	await page.goto(gateway.issuer + "account");
	const password = page.locator("#password");
	await password.fill(alice.password);
	await page.getByRole("button", { name: "Show password" }).press("Enter");
	assert.equal(await password.getAttribute("type"), "text");
	await page.getByRole("button", { name: "Hide password" }).click();
	assert.equal(await password.getAttribute("type"), "password");
	await page.getByRole("button", { name: "Show password" }).click();
	await page.locator("#username").fill(alice.username);
	const sent = await page.evaluate(() => new Promise((done) => {
		const form = document.querySelector("#password").form;
		form.addEventListener("submit", (event) => { event.preventDefault(); done(document.querySelector("#password").type); });
		form.requestSubmit();
	}));
	assert.equal(sent, "password");
});

test("the login page is one request of less than 15 kB, and needs no script", async () => {
	const context = await profile(browser, { javaScriptEnabled: false });
	const plain = await context.newPage();
	const requests = [];
	plain.on("request", (request) => requests.push(request.url()));
	const answer = await plain.goto(gateway.issuer + "account?ui_locales=ja");
	await plain.waitForLoadState("networkidle");
	assert.deepEqual(requests, [gateway.issuer + "account?ui_locales=ja"]);
	assert.ok((await answer.body()).length < 15_000, `${(await answer.body()).length} bytes`);
	assert.equal(await plain.locator("#show").isVisible(), false);
	await plain.locator("#username").focus();
	await plain.keyboard.type(alice.username);
	await plain.keyboard.press("Tab");
	await plain.keyboard.type(alice.password);
	await Promise.all([plain.waitForURL(/\/account(\?.*)?$/), plain.keyboard.press("Enter")]);
	await plain.getByText("Alice Liddell").waitFor();
	await context.close();
});
