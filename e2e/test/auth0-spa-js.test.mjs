import assert from "node:assert/strict";
import { after, before, beforeEach, afterEach, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launch, profile, signIn } from "../harness/browser.mjs";
import { leeway, refreshWith, start } from "../harness/gateway.mjs";

let gateway;
let browser;
const stock = "https://stock.example.com"; // an API that is not asked for at sign-in
const oauth = ({ app, api }) => `
	api ${stock} {
		scopes stock:read stock:write
		allow_offline_access
	}
	client mrrt {
		type spa
		redirect_uris ${app}auth0.html
		apis ${api} ${stock}
		refresh_token {
			multi_resource
		}
	}`;
before(async () => { [gateway, browser] = await Promise.all([start(oauth), launch()]); });
after(async () => {
	await browser?.close();
	await gateway?.stop();
});

let context;
beforeEach(async () => { context = await profile(browser); });
afterEach(() => context.close());

// open opens a tab with the app.
async function open(options) {
	const page = await context.newPage();
	await page.addInitScript((settings) => { window.settings = settings; }, { issuer: gateway.issuer, api: gateway.api, options });
	await page.goto(gateway.app + "auth0.html");
	await ready(page);
	return page;
}

async function ready(page) {
	await page.waitForFunction(() => window.ready);
	await page.evaluate(() => window.ready);
}

async function login(page) {
	await page.evaluate(() => { window.client.loginWithRedirect(); });
	await signIn(page);
	await page.waitForURL(gateway.app + "auth0.html**");
	await ready(page);
}

// refresh gets a new access token, whatever is cached.
async function refresh(page) {
	const tokens = await page.evaluate(() => window.client.getTokenSilently({ cacheMode: "off", detailedResponse: true }));
	gateway.secret(tokens.access_token, tokens.id_token);
	return tokens.access_token;
}

const callAPI = (page, token) => page.evaluate(async ({ api, token }) => {
	const answer = await fetch(api + "orders", { headers: { Authorization: `Bearer ${token}` } });
	return { status: answer.status, user: answer.ok ? (await answer.json()).user : undefined };
}, { api: gateway.api, token });

// storedRefreshToken finds it where the localstorage cache keeps it.
async function storedRefreshToken(page) {
	const token = await page.evaluate(() => Object.values(localStorage).map((text) => { try { return JSON.parse(text).body?.refresh_token; } catch { return undefined; } }).find(Boolean));
	gateway.secret(token);
	return token;
}

const modes = [
	{ name: "memory cache, refresh tokens", options: { cacheLocation: "memory", useRefreshTokens: true }, renews: "refresh_token" },
	{ name: "localstorage cache, refresh tokens", options: { cacheLocation: "localstorage", useRefreshTokens: true }, renews: "refresh_token" },
	{ name: "memory cache, iframe", options: { cacheLocation: "memory", useRefreshTokens: false }, renews: "iframe" },
	{ name: "localstorage cache, iframe", options: { cacheLocation: "localstorage", useRefreshTokens: false }, renews: "iframe" },
];
for (const { name, options, renews } of modes) {
	test(`log in, call the API, renew, log out: ${name}`, async () => {
		const page = await open(options);
		const seen = [];
		context.on("request", (request) => {
			const url = new URL(request.url());
			if (url.pathname === "/oauth/token") seen.push(/grant_type"?[=:]"?(\w+)/.exec(request.postData() ?? "")?.[1]);
			if (url.pathname === "/authorize") seen.push(url.searchParams.get("prompt") === "none" ? "iframe" : "authorize");
		});
		await login(page);
		assert.equal((await page.evaluate(() => window.client.getUser())).sub, "local|alice");
		const first = await page.evaluate(() => window.client.getTokenSilently());
		assert.deepEqual(await callAPI(page, first), { status: 200, user: "local|alice" });

		seen.length = 0;
		const second = await refresh(page);
		assert.notEqual(second, first);
		assert.equal(seen[0], renews);
		assert.equal((await callAPI(page, second)).status, 200);
		await refresh(page);

		const back = page.waitForEvent("load"); // the address is what it was
		await page.evaluate(() => { window.client.logout({ logoutParams: { returnTo: window.home } }); });
		await back;
		await ready(page);
		assert.equal(await page.evaluate(() => window.client.isAuthenticated()), false);
		await page.evaluate(() => { window.client.loginWithRedirect(); });
		await page.getByLabel("Password").waitFor(); // the session at the gateway is over too
	});
}

test("S25: an API that was not asked for at sign-in, with useMrrt", async () => {
	const scope = { default: "openid profile email orders:read", [stock]: "openid profile email stock:read" }; // default: where a call names no audience
	const page = await open({
		clientId: "mrrt", useRefreshTokens: true, useMrrt: true,
		authorizationParams: { audience: gateway.api, scope, redirect_uri: gateway.app + "auth0.html" },
	});
	await login(page);
	const grants = [];
	context.on("request", (request) => {
		const path = new URL(request.url()).pathname;
		if (path === "/oauth/token" || path === "/authorize") grants.push(path);
	});
	const claims = await page.evaluate(async (stock) => {
		const token = await window.client.getTokenSilently({ authorizationParams: { audience: stock } });
		return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
	}, stock);
	assert.equal(claims.aud, stock);
	assert.ok(claims.scope.split(" ").includes("stock:read"), claims.scope);
	assert.ok(!claims.scope.includes("stock:write"), claims.scope);
	assert.deepEqual(grants, ["/oauth/token"]);
	const first = await page.evaluate(() => window.client.getTokenSilently({ cacheMode: "off" }));
	gateway.secret(first);
	assert.equal((await callAPI(page, first)).status, 200); // the API of the sign-in goes on
});

test("a reload with the memory cache falls back to the iframe", async () => {
	const page = await open({ useRefreshTokens: true, useRefreshTokensFallback: true });
	await login(page);
	await page.reload();
	await ready(page);
	await page.evaluate(() => window.client.checkSession());
	assert.equal(await page.evaluate(() => window.client.isAuthenticated()), true);
	assert.equal((await callAPI(page, await refresh(page))).status, 200);
});

test("the iframe without a session says login_required", async () => {
	const page = await open({});
	const error = await page.evaluate(() => window.client.getTokenSilently().catch((e) => e.error));
	assert.equal(error, "login_required");
});

test("log in in a popup", async () => {
	const page = await open({ useRefreshTokens: true });
	const opening = context.waitForEvent("page");
	const done = page.evaluate(() => window.client.loginWithPopup());
	const popup = await opening;
	await signIn(popup);
	await done;
	assert.equal((await page.evaluate(() => window.client.getUser())).email, "alice@example.com");
	assert.equal((await callAPI(page, await refresh(page))).status, 200);
});

test("cancelling the login is an error the app can show", async () => {
	const page = await open({});
	await page.evaluate(() => { window.client.loginWithRedirect(); });
	await page.getByRole("button", { name: "Cancel" }).click();
	await page.waitForURL(gateway.app + "auth0.html**");
	assert.equal(await page.evaluate(() => window.ready.catch((e) => e.error)), "access_denied");
});

test("two tabs that refresh at once stay logged in", async () => {
	const options = { cacheLocation: "localstorage", useRefreshTokens: true };
	const one = await open(options);
	await login(one);
	const two = await open(options);
	for (let round = 0; round < 5; round++) {
		for (const token of await Promise.all([refresh(one), refresh(two)])) {
			assert.equal((await callAPI(one, token)).status, 200);
		}
	}
});

describe("a lost answer", () => {
	const caches = [
		{ name: "memory cache, in a worker", options: { useRefreshTokens: true } },
		{ name: "localstorage cache", options: { cacheLocation: "localstorage", useRefreshTokens: true } },
	];
	// lose lets the gateway handle the next token request, and drops its answer.
	async function lose() {
		const lost = { count: 0 };
		await context.route("**/oauth/token", async (route) => {
			if (route.request().method() !== "POST" || lost.count > 0) return route.continue();
			lost.count++;
			assert.equal((await route.fetch()).status(), 200);
			await route.abort("connectionreset");
		});
		return lost;
	}
	for (const { name, options } of caches) {
		test(`of a refresh is fetched again: ${name}`, async () => {
			const page = await open(options);
			await login(page);
			const lost = await lose();
			assert.equal((await callAPI(page, await refresh(page))).status, 200);
			assert.equal(lost.count, 1, "one answer was dropped");
			assert.equal((await callAPI(page, await refresh(page))).status, 200);
		});
	}

	test("of the login costs no second password", async () => {
		const page = await open({ useRefreshTokens: true });
		const lost = await lose();
		await page.evaluate(() => { window.client.loginWithRedirect(); });
		await signIn(page);
		await page.waitForURL(gateway.app + "auth0.html**");
		// A code is good for one answer, and never for a second one (RFC 6749 §4.1.2).
		assert.equal(await page.evaluate(() => window.ready.catch((e) => e.error)), "invalid_grant");
		assert.equal(lost.count, 1, "one answer was dropped");
		await Promise.all([
			page.waitForURL(/[?]code=/, { waitUntil: "commit" }),
			page.evaluate(() => { window.client.loginWithRedirect(); }),
		]);
		await ready(page);
		assert.equal((await callAPI(page, await refresh(page))).status, 200);
	});
});

test("a replay after the leeway ends the session in both tabs", async () => {
	const options = { cacheLocation: "localstorage", useRefreshTokens: true };
	const one = await open(options);
	await login(one);
	const two = await open(options);
	const stolen = await storedRefreshToken(one);
	const first = await refresh(one);
	const second = await refresh(two);
	await storedRefreshToken(one);
	await pause(leeway + 200); // the gateway's clock is the real one

	const { status, body } = await refreshWith(gateway, stolen);
	assert.equal(status, 400);
	assert.equal(body.error, "invalid_grant");
	for (const page of [one, two]) {
		assert.equal(await page.evaluate(() => window.client.getTokenSilently({ cacheMode: "off" }).catch((e) => e.error)), "invalid_grant");
		for (const token of [first, second]) assert.equal((await callAPI(page, token)).status, 401);
	}
});
