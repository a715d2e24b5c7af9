// Programs without a browser of their own (RFC 8252) or without any (RFC 8628):
// examples/cli as a person uses it, and the page that lets devices in.
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launch, profile, shoot, signIn } from "../harness/browser.mjs";
import { build } from "../harness/cli.mjs";
import { callAPI, leeway, start } from "../harness/gateway.mjs";

let gateway;
let browser;
let cli;
before(async () => { [gateway, browser, cli] = await Promise.all([start(), launch(), build()]); });
after(async () => {
	await browser?.close();
	await gateway?.stop();
	await cli?.remove();
});

const grant = "urn:ietf:params:oauth:grant-type:device_code";

async function post(path, parameters) {
	const answer = await fetch(gateway.issuer + path, { method: "POST", body: new URLSearchParams({ client_id: "cli", ...parameters }) });
	return { status: answer.status, body: await answer.json() };
}

async function device() {
	const { status, body } = await post("oauth/device/code", { scope: "openid offline_access orders:read", audience: gateway.api });
	assert.equal(status, 200);
	gateway.secret(body.device_code, body.user_code);
	return body;
}

const poll = ({ device_code }) => post("oauth/token", { grant_type: grant, device_code });

// remember tells the harness what must not be in the gateway's log.
async function remember() {
	const session = await cli.session();
	gateway.secret(session.access_token, session.refresh_token);
	return session;
}

async function enter(page, code) {
	await page.getByLabel("Code", { exact: true }).fill(code);
	await page.getByRole("button", { name: "Continue" }).click();
	await page.getByRole("heading", { name: "Connect this device?" }).waitFor();
}

test("a terminal signs in by the browser, refreshes twice at once and signs out", async () => {
	cli.use(gateway, "browser");
	const context = await profile(browser);
	const page = await context.newPage();
	const login = cli.run("login");
	const [address] = await login.says(/http\S+authorize\S+/);
	await page.goto(address);
	await signIn(page);
	await page.getByText("This is all.").waitFor();
	assert.equal(await login.ended, 0, login.said);
	assert.match(login.said, /Signed in as Alice Liddell/);
	assert.equal((await stat(cli.file)).mode & 0o777, 0o600);

	let session = await remember();
	const orders = cli.run("orders");
	assert.equal(await orders.ended, 0, orders.said);
	assert.equal(JSON.parse(orders.printed).user, "local|alice");
	assert.deepEqual(await cli.session(), session, "a good access token was replaced");

	for (let round = 0; round < 3; round++) {
		const before = await cli.age();
		const runs = Array.from({ length: 4 }, () => cli.run("orders"));
		for (const run of runs) assert.equal(await run.ended, 0, run.said);
		session = await remember();
		assert.notEqual(session.refresh_token, before.refresh_token);
	}
	await pause(leeway + 500); // what was written last is not an old token
	await cli.age();
	const late = cli.run("orders");
	assert.equal(await late.ended, 0, late.said);

	session = await remember();
	const logout = cli.run("logout");
	assert.equal(await logout.ended, 0, logout.said);
	assert.equal((await callAPI(gateway, session.access_token)).status, 401);
	const nobody = cli.run("orders");
	assert.equal(await nobody.ended, 1);
	assert.match(nobody.said, /not signed in/);

	// The browser is still signed in; who merely listens at a port gets no code for that (RFC 8252 §8.6).
	const again = cli.run("login");
	await page.goto((await again.says(/http\S+authorize\S+/))[0]);
	await page.getByRole("heading", { name: "Allow access?" }).waitFor();
	await page.getByRole("button", { name: "Deny" }).click();
	assert.equal(await again.ended, 1);
	assert.match(again.said, /access_denied/);
	await context.close();
});

test("a terminal signs in by a code that is typed elsewhere", async () => {
	cli.use(gateway, "device");
	const context = await profile(browser);
	const page = await context.newPage();
	const login = cli.run("login", "--device");
	const [, code] = await login.says(/^ {2}([B-Z]{4}-[B-Z]{4})$/m);
	gateway.secret(code);
	await page.goto(gateway.issuer + "activate");
	await signIn(page);
	await enter(page, code.toLowerCase().replace("-", " "));
	await page.getByRole("button", { name: "Allow" }).click();
	await page.getByRole("heading", { name: "The device is connected" }).waitFor();
	assert.equal(await login.ended, 0, login.said);
	const session = await remember();

	// The device is signed in apart from the browser.
	await page.goto(gateway.issuer + "oidc/logout");
	await page.getByRole("button", { name: "Sign out" }).click();
	await page.getByRole("heading", { name: "You are signed out" }).waitFor();
	assert.equal((await callAPI(gateway, session.access_token)).status, 200);
	await cli.age();
	const orders = cli.run("orders");
	assert.equal(await orders.ended, 0, orders.said);
	assert.equal(JSON.parse(orders.printed).user, "local|alice");
	await remember();
	await context.close();
});

test("a person says no", async () => {
	cli.use(gateway, "denied");
	const context = await profile(browser);
	const page = await context.newPage();
	const login = cli.run("login", "--device");
	const [link] = await login.says(/http\S+user_code=\S+/);
	gateway.secret(new URL(link).searchParams.get("user_code"));
	await page.goto(link);
	await signIn(page);
	await page.getByRole("button", { name: "Continue" }).click();
	await page.getByRole("button", { name: "Deny" }).click();
	await page.getByRole("heading", { name: "The device was not connected" }).waitFor();
	assert.equal(await login.ended, 1);
	assert.match(login.said, /you said no/);
	await assert.rejects(cli.session());
	await context.close();
});

test("a device that asks too often is told to slow down, and gets its tokens all the same", async () => {
	const waiting = await device();
	assert.deepEqual((await poll(waiting)).body.error, "authorization_pending");
	assert.deepEqual((await poll(waiting)).body.error, "slow_down");
	const context = await profile(browser);
	const page = await context.newPage();
	await page.goto(waiting.verification_uri_complete);
	await signIn(page);
	await page.getByRole("button", { name: "Continue" }).click();
	await page.getByRole("button", { name: "Allow" }).click();
	await page.getByRole("heading", { name: "The device is connected" }).waitFor();
	const answers = await Promise.all(Array.from({ length: 20 }, () => poll(waiting)));
	const good = answers.filter(({ status }) => status === 200);
	assert.equal(good.length, 1);
	gateway.secret(good[0].body.access_token, good[0].body.refresh_token);
	assert.equal((await callAPI(gateway, good[0].body.access_token)).status, 200);
	for (const { body } of answers) if (body.error) assert.equal(body.error, "invalid_grant");
	await context.close();
});

const views = [
	{ name: "light", options: { colorScheme: "light" } },
	{ name: "dark", options: { colorScheme: "dark" } },
	{ name: "phone", options: { colorScheme: "light", viewport: { width: 360, height: 640 }, javaScriptEnabled: false } },
	{ name: "phone-dark", options: { colorScheme: "dark", viewport: { width: 320, height: 568 } } },
];
for (const { name, options } of views) {
	test(`the pages for devices: ${name}`, async () => {
		const context = await profile(browser, options);
		const page = await context.newPage();
		const problems = [];
		page.on("console", (message) => { if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) problems.push(message.text()); });
		const heading = (text) => page.getByRole("heading", { name: text }).waitFor();

		await page.goto(gateway.issuer + "activate");
		await page.getByText("to connect a device").waitFor();
		await shoot(page, `activate-login-${name}`);
		await signIn(page);
		await heading("Connect a device");
		assert.equal(await page.locator(":focus").getAttribute("name"), "user_code");
		await shoot(page, `activate-${name}`);
		await page.keyboard.type("bcdf-ghjk");
		await page.keyboard.press("Enter");
		await page.getByText("No device is waiting for this code").waitFor();
		await shoot(page, `activate-wrong-${name}`);

		const waiting = await device();
		await page.goto(waiting.verification_uri_complete);
		assert.equal(await page.getByLabel("Code", { exact: true }).inputValue(), waiting.user_code);
		await shoot(page, `activate-filled-${name}`);
		await page.keyboard.press("Enter"); // the button has the focus
		await heading("Connect this device?");
		await page.getByText(waiting.user_code).waitFor();
		await shoot(page, `device-${name}`);
		const width = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth).catch(() => 0); // no scripts on the phone
		assert.ok(width <= 0, "the page is wider than the screen");
		await page.getByRole("button", { name: "Allow" }).click();
		await heading("The device is connected");
		await shoot(page, `device-connected-${name}`);
		const refused = await device();
		await page.goto(gateway.issuer + "activate");
		await enter(page, refused.user_code);
		await page.getByRole("button", { name: "Deny" }).click();
		await heading("The device was not connected");
		await shoot(page, `device-denied-${name}`);
		assert.equal((await poll(refused)).body.error, "access_denied");
		assert.deepEqual(problems, []);
		await context.close();
	});
}
