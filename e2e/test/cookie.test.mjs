// The second mode of the demo: the refresh token is in a cookie that all tabs
// share and no script can read.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launch, profile, shoot, signIn } from "../harness/browser.mjs";
import { leeway, moved, startExample } from "../harness/gateway.mjs";

let gateway;
let browser;
before(async () => {
	// A second client of the same kind.
	const two = (text) => text.replace(/\t\tclient demo-cookie \{[^]*?\n\t\t\}\n/, (block) => block + block.replace("demo-cookie", "other-cookie"));
	[gateway, browser] = await Promise.all([startExample(two), launch()]);
});
after(async () => {
	await browser?.close();
	await gateway?.stop();
});

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const says = (page, text) => page.locator("#log li").first().filter({ hasText: text }).waitFor();

// visitor is a person with a browser of their own who has chosen the cookie.
async function visitor() {
	const context = await profile(browser, { viewport: { width: 1200, height: 900 } });
	await context.route("**/config.js", async (route) => {
		const answer = await route.fetch();
		await route.fulfill({ response: answer, body: moved(gateway, await answer.text()) });
	});
	const page = await context.newPage();
	await page.goto(gateway.app);
	await page.getByLabel("in a cookie").check();
	await page.getByText("Refresh ten times at once").waitFor();
	return { context, page };
}

async function signedIn() {
	const { context, page } = await visitor();
	await press(page, "Log in");
	await signIn(page);
	await says(page, "Logged in.");
	return { context, page };
}

const kept = async (context) => (await context.cookies(gateway.issuer)).filter(({ name }) => name.startsWith("gatehouse_refresh_"));

// refreshes sends calls at once from one tab and returns what each got.
const refreshes = (page, count, client = "demo-cookie") => page.evaluate(([url, n, id]) => Promise.all(Array.from({ length: n }, async () => {
	const answer = await fetch(url, { method: "POST", credentials: "include", body: new URLSearchParams({ client_id: id }) });
	return { status: answer.status, ...await answer.json() };
})), [gateway.issuer + "oauth/refresh", count, client]);

test("the demo in its second mode", async () => {
	const { context, page } = await visitor();
	await shoot(page, "spa-cookie-signed-out");
	await press(page, "Log in");
	await signIn(page);
	await says(page, "Logged in.");
	await press(page, "Call the API");
	await says(page, '"user": "local|alice"');
	await press(page, "Refresh");
	await says(page, "Ten calls at once");
	await page.reload();
	await says(page, "Still signed in");
	await press(page, "Call the API");
	await says(page, '"user": "local|alice"');
	await shoot(page, "spa-cookie");

	const [cookie] = await kept(context);
	assert.ok(cookie.httpOnly && cookie.sameSite === "Strict");
	const seen = await page.evaluate(() => document.cookie + JSON.stringify([localStorage, sessionStorage]) + document.documentElement.outerHTML);
	assert.ok(!seen.includes("rt1."), "the page holds the refresh token");

	await press(page, "End the refresh token");
	await says(page, "its cookie is gone");
	await press(page, "Call the API");
	await says(page, "refused the access token (401)");
	assert.deepEqual(await kept(context), []);
	await press(page, "Refresh");
	await says(page, "this login is over");
	await shoot(page, "spa-cookie-ended");
	await context.close();
});

test("fifty calls at once from three tabs: one rotation, all answered", async () => {
	const { context, page } = await signedIn();
	const tabs = [page, await context.newPage(), await context.newPage()];
	await Promise.all(tabs.slice(1).map((tab) => tab.goto(gateway.app)));
	await pause(leeway + 500); // a younger token is not rotated
	const [before] = await kept(context);
	const given = [];
	for (const tab of tabs) {
		tab.on("response", async (answer) => {
			if (!answer.url().endsWith("/oauth/refresh")) return;
			given.push((await answer.allHeaders())["set-cookie"]?.match(/rt1\.[^;]*/)?.[0]);
		});
	}
	const answers = (await Promise.all(tabs.map((tab, i) => refreshes(tab, i === 0 ? 18 : 16)))).flat();
	assert.equal(answers.length, 50);
	for (const answer of answers) {
		assert.equal(answer.status, 200);
		assert.ok(answer.access_token && answer.id_token && !answer.refresh_token);
	}
	const [now] = await kept(context);
	assert.notEqual(now.value, before.value);
	assert.ok(given.some(Boolean), "no answer brought a cookie");
	assert.deepEqual([...new Set(given.filter(Boolean))], [now.value], "more than one successor");
	await context.close();
});

test("an answer that never came", async () => {
	const { context, page } = await signedIn();
	await pause(leeway + 500);
	const [before] = await kept(context);
	await context.route("**/oauth/refresh", async (route) => {
		await route.fetch({ maxRedirects: 0 }); // the gateway has rotated
		await route.abort();
	}, { times: 1 });
	await assert.rejects(refreshes(page, 1));
	await context.addCookies([before]); // the browser never saw the answer
	const [{ status }] = await refreshes(page, 1);
	assert.equal(status, 200);
	assert.notEqual((await kept(context))[0].value, before.value);
	await context.close();
});

test("logging out takes the cookie and ends what it held", async () => {
	const { context, page } = await signedIn();
	const stolen = await kept(context);
	await press(page, "Log out");
	await says(page, "Logged out");
	assert.deepEqual(await kept(context), []);
	const [{ error: missing }] = await refreshes(page, 1);
	assert.equal(missing, "login_required");
	await context.addCookies(stolen);
	const [{ error: dead }] = await refreshes(page, 1);
	assert.equal(dead, "invalid_grant");
	assert.equal((await kept(context)).length, stolen.length, "a dead cookie stays: another tab may have signed in meanwhile");
	await context.close();
});

test("two clients in one browser", async () => {
	const { context, page } = await signedIn();
	const other = await context.newPage();
	await other.route("**/config.js", async (route) => {
		const answer = await route.fetch();
		await route.fulfill({ response: answer, body: moved(gateway, await answer.text()).replace("demo-cookie", "other-cookie") });
	});
	await other.goto(gateway.app);
	await press(other, "Log in"); // the session at the gateway is enough
	await says(other, "Logged in.");
	assert.equal((await kept(context)).length, 2);
	await pause(leeway + 500);
	for (const client of ["demo-cookie", "other-cookie", "demo-cookie"]) {
		const [{ status }] = await refreshes(page, 1, client);
		assert.equal(status, 200, client);
	}
	await press(other, "End the refresh token");
	await says(other, "its cookie is gone");
	assert.equal((await refreshes(page, 1))[0].status, 200);
	assert.equal((await refreshes(page, 1, "other-cookie"))[0].error, "login_required");
	await press(page, "Log out");
	await says(page, "Logged out");
	assert.deepEqual(await kept(context), []);
	await context.close();
});

test("a page of another origin gets nothing", async () => {
	const { context } = await signedIn();
	const neighbour = await context.newPage();
	await neighbour.goto(gateway.api); // same site, another origin
	await assert.rejects(refreshes(neighbour, 1), /Failed to fetch/);
	await context.close();
});

test("the documentation shows the demo's own code", async () => {
	const [page, code] = await Promise.all(["docs/spa.md", "examples/spa/session.js"].map((path) => readFile(new URL("../../" + path, import.meta.url), "utf8")));
	assert.ok(page.includes("```js\n" + code + "```"));
});
