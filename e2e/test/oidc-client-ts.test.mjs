import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launch, profile, signIn } from "../harness/browser.mjs";
import { leeway, refreshWith, start } from "../harness/gateway.mjs";

let gateway;
let browser;
before(async () => { [gateway, browser] = await Promise.all([start(), launch()]); });
after(async () => {
	await browser?.close();
	await gateway?.stop();
});

let context;
beforeEach(async () => { context = await profile(browser); });
afterEach(() => context.close());

// open opens a tab with the app.
async function open(options) {
	// for its popups and iframes too
	await context.addInitScript((settings) => { window.settings = settings; }, { issuer: gateway.issuer, api: gateway.api, options });
	const page = await context.newPage();
	await page.goto(gateway.app + "oidc.html");
	await ready(page);
	return page;
}

async function ready(page) {
	await page.waitForFunction(() => window.ready);
	await page.evaluate(() => window.ready);
}

async function login(page) {
	await page.evaluate(() => { window.client.signinRedirect(); });
	await signIn(page);
	await page.waitForURL(gateway.app + "oidc.html**");
	await ready(page);
	return user(page);
}

const user = (page) => note(page, (client) => client.getUser());
const refresh = (page) => note(page, (client) => client.signinSilent());

// note asks the page for a user and remembers the tokens as secrets.
async function note(page, ask) {
	const found = await page.evaluate(`(${ask})(window.client).then((u) => u && { ...u })`);
	if (found) gateway.secret(found.access_token, found.refresh_token, found.id_token);
	return found;
}

const failure = (page) => page.evaluate(() => window.client.signinSilent().then(() => "none", (e) => e.error ?? e.name));

const callAPI = (page, token) => page.evaluate(async ({ api, token }) => {
	const answer = await fetch(api + "orders", { headers: { Authorization: `Bearer ${token}` } });
	return { status: answer.status, challenge: answer.headers.get("WWW-Authenticate") };
}, { api: gateway.api, token });

test("log in, call the API, refresh, log out across origins", async () => {
	const page = await open();
	const first = await login(page);
	assert.equal(first.profile.sub, "local|alice");
	assert.equal(first.profile.email, "alice@example.com");
	assert.equal((await callAPI(page, first.access_token)).status, 200);

	const second = await refresh(page);
	assert.notEqual(second.refresh_token, first.refresh_token);
	assert.notEqual(second.access_token, first.access_token);
	for (const { access_token } of [first, second]) assert.equal((await callAPI(page, access_token)).status, 200);

	const back = page.waitForEvent("load"); // the address is what it was
	await page.evaluate(() => { window.client.signoutRedirect(); });
	await back;
	await ready(page);
	assert.equal(await user(page), null);
	await page.evaluate(() => { window.client.signinRedirect(); });
	await page.getByLabel("Password").waitFor(); // the session at the gateway is over too
});

test("without a refresh token the iframe renews", async () => {
	const page = await open({ scope: "openid orders:read" });
	const first = await login(page);
	assert.equal(first.refresh_token, undefined);
	const second = await refresh(page);
	assert.equal(second.profile.sub, first.profile.sub);
	assert.notEqual(second.access_token, first.access_token);
});

test("log in in a popup", async () => {
	const page = await open();
	const opening = context.waitForEvent("page");
	const done = page.evaluate(() => window.client.signinPopup().then((u) => u.profile.name));
	await signIn(await opening);
	assert.equal(await done, "Alice Liddell");
	await user(page);
});

test("userinfo can be read from the app", async () => {
	const page = await open({ loadUserInfo: true });
	assert.equal((await login(page)).profile.name, "Alice Liddell");
});

test("revoking the tokens ends them at the API", async () => {
	const page = await open();
	const { access_token: token } = await login(page);
	await page.evaluate(() => window.client.revokeTokens(["refresh_token"]));
	const { status, challenge } = await callAPI(page, token);
	assert.equal(status, 401);
	assert.match(challenge, /error="invalid_token"/);
});

test("two tabs that refresh at once stay logged in", async () => {
	const one = await open();
	await login(one);
	const two = await open();
	for (let round = 0; round < 5; round++) {
		for (const { access_token } of await Promise.all([refresh(one), refresh(two)])) {
			assert.equal((await callAPI(one, access_token)).status, 200);
		}
	}
});

test("a lost answer is fetched again with the same refresh token", async () => {
	const page = await open();
	const before = await login(page);
	let lost;
	await context.route("**/oauth/token", async (route) => {
		if (route.request().method() !== "POST" || lost) return route.continue();
		lost = await (await route.fetch()).json();
		gateway.secret(lost.access_token, lost.refresh_token);
		await route.abort("connectionreset");
	});
	assert.notEqual(await failure(page), "none");
	assert.equal((await user(page)).refresh_token, before.refresh_token, "the app still has the token it sent");
	const after = await refresh(page);
	assert.equal(after.refresh_token, lost.refresh_token, "the same successor");
	assert.equal((await callAPI(page, after.access_token)).status, 200);
	await refresh(page);
});

test("a replay after the leeway ends the session in both tabs", async () => {
	const one = await open();
	const stolen = (await login(one)).refresh_token;
	const two = await open();
	const first = await refresh(one);
	const second = await refresh(two);
	await pause(leeway + 200); // the gateway's clock is the real one

	const { status, body } = await refreshWith(gateway, stolen);
	assert.equal(status, 400);
	assert.equal(body.error, "invalid_grant");
	for (const page of [one, two]) {
		assert.equal(await failure(page), "invalid_grant");
		for (const { access_token } of [first, second]) assert.equal((await callAPI(page, access_token)).status, 401);
	}
});
