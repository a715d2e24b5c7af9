// The page where a person sees where they are signed in, in two browsers of one person.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch, profile, shoot, signIn } from "../harness/browser.mjs";
import { callAPI, start, webSecret } from "../harness/gateway.mjs";

let gateway;
let browser;
let client; // the application that the person comes back to
before(async () => {
	[gateway, browser] = await Promise.all([start(), launch()]);
	client = createServer((_, answer) => answer.end("the client")).listen(new URL(gateway.callback).port, "127.0.0.1");
});
after(async () => {
	client?.close();
	await browser?.close();
	await gateway?.stop();
});

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

// visitor is alice with a browser of her own.
async function visitor(options) {
	const context = await profile(browser, options);
	return { context, page: await context.newPage() };
}

// use goes through the pages of an application and takes its tokens.
async function use(page, client) {
	const verifier = randomBytes(32).toString("base64url");
	await page.goto(gateway.issuer + "authorize?" + new URLSearchParams({
		client_id: client,
		response_type: "code",
		redirect_uri: gateway.callback,
		scope: "openid offline_access orders:read",
		audience: gateway.api,
		code_challenge: createHash("sha256").update(verifier).digest("base64url"),
		code_challenge_method: "S256",
		...(client === "asks" && { prompt: "consent" }),
	}));
	if (await page.getByLabel("Password").count() > 0) await signIn(page);
	if (client === "asks") await page.getByRole("button", { name: "Allow" }).click();
	await page.waitForURL(gateway.callback + "**");
	const answer = await fetch(gateway.issuer + "oauth/token", {
		method: "POST",
		body: new URLSearchParams({
			grant_type: "authorization_code", client_id: client, client_secret: webSecret, redirect_uri: gateway.callback,
			code: new URL(page.url()).searchParams.get("code"), code_verifier: verifier,
		}),
	});
	assert.equal(answer.status, 200);
	const tokens = await answer.json();
	gateway.secret(tokens.access_token, tokens.refresh_token, tokens.id_token);
	assert.equal((await callAPI(gateway, tokens.access_token)).status, 200);
	return { client, ...tokens };
}

async function refresh({ client, refresh_token }) {
	const answer = await fetch(gateway.issuer + "oauth/token", {
		method: "POST", body: new URLSearchParams({ grant_type: "refresh_token", client_id: client, client_secret: webSecret, refresh_token }),
	});
	return { status: answer.status, body: await answer.json() };
}

// ended demands that an application is signed out: with its very next request.
async function ended(login) {
	assert.equal((await callAPI(gateway, login.access_token)).status, 401, "the API still takes the access token");
	const { status, body } = await refresh(login);
	assert.equal(status, 400);
	assert.equal(body.error, "invalid_grant");
}

async function lives(login) {
	assert.equal((await callAPI(gateway, login.access_token)).status, 200);
	const { status, body } = await refresh(login);
	assert.equal(status, 200);
	gateway.secret(body.access_token, body.refresh_token, body.id_token);
	Object.assign(login, body);
}

const account = (page) => page.goto(gateway.issuer + "account");
const applications = (page) => page.locator(".applications li");

// shown opens the page until it shows the devices: histories are written behind the answers.
async function shown(page, ...texts) {
	for (let i = 0; i < 100; i++) {
		await account(page);
		const all = await applications(page).allInnerTexts();
		if (texts.every((text) => all.some((one) => one.includes(text)))) return all;
	}
	throw new Error(`The page does not show ${texts}: ${await page.content()}`);
}

test("two browsers: sign out one application, then all", async () => {
	const desk = await visitor({ userAgent: firefox });
	const pocket = await visitor({ userAgent: phone, viewport: { width: 360, height: 640 } });
	const atDesk = await use(desk.page, "web");
	const office = await use(desk.page, "asks");
	const inPocket = await use(pocket.page, "web");

	const all = await shown(desk.page, "Firefox on Linux", "Safari on iPhone");
	assert.equal(all.length, 3);
	assert.equal(all.filter((one) => one.includes("Signed in from this browser")).length, 2);
	assert.ok(all[0].includes("Safari on iPhone") && !all[0].includes("this browser"), all[0]);
	assert.equal(await desk.page.getByText("Alice Liddell").count(), 1);
	assert.equal((await shown(pocket.page, "Firefox on Linux")).filter((one) => one.includes("Signed in from this browser")).length, 1);

	// The phone is lost.
	await lives(inPocket);
	await applications(desk.page).filter({ hasText: "Safari on iPhone" }).getByRole("button").click();
	await desk.page.getByText("Signed out.").waitFor();
	await ended(inPocket);
	assert.equal(await applications(desk.page).count(), 2);
	await lives(atDesk);
	await lives(office);

	await desk.page.getByRole("button", { name: "everywhere" }).click();
	await desk.page.getByText("You are signed out").waitFor();
	await ended(atDesk);
	await ended(office);
	for (const { page } of [desk, pocket]) { // and no session is left
		await account(page);
		await page.getByLabel("Password").waitFor();
	}
	await desk.context.close();
	await pocket.context.close();
});

const views = [
	{ name: "light", options: { colorScheme: "light" } },
	{ name: "dark", options: { colorScheme: "dark" } },
	{ name: "phone", options: { colorScheme: "light", viewport: { width: 360, height: 640 }, javaScriptEnabled: false } },
];
for (const { name, options } of views) {
	test(`how it looks: ${name}`, async () => {
		const { context, page } = await visitor({ userAgent: name === "phone" ? phone : firefox, ...options });
		const problems = [];
		page.on("console", (message) => { if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) problems.push(message.text()); });
		await account(page);
		await page.getByText("to see where you are signed in").waitFor();
		await shoot(page, `account-login-${name}`);
		await signIn(page);
		await page.waitForURL("**/account");
		const other = await visitor({ userAgent: name === "phone" ? firefox : phone });
		await use(page, "web");
		await use(page, "asks");
		await use(other.page, "web");
		await shown(page, "Firefox on Linux", "Safari on iPhone");
		await shoot(page, `account-${name}`);
		assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page is wider than the window");
		await applications(page).first().getByRole("button").click();
		await page.getByText("Signed out.").waitFor();
		await shoot(page, `account-one-${name}`);
		await page.getByRole("button", { name: "everywhere" }).click();
		await page.getByText("You are signed out").waitFor();
		await signInAgain(page);
		await shoot(page, `account-empty-${name}`);
		assert.deepEqual(problems, []);
		await context.close();
		await other.context.close();
	});
}

async function signInAgain(page) {
	await account(page);
	await signIn(page);
	await page.getByText("No application").waitFor();
}

test("what a browser calls itself is shown as text", async () => {
	const { context, page } = await visitor({ userAgent: `<img src=x onerror="document.title='owned'"> ${"x".repeat(3000)}` });
	const login = await use(page, "web");
	await account(page);
	assert.equal(await applications(page).count(), 1);
	assert.equal(await page.locator(".applications img").count(), 0);
	assert.notEqual(await page.title(), "owned");
	await lives(login);
	await context.close();
});
