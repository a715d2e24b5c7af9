import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { listen } from "../app/express.mjs";
import { launch, profile, signIn } from "../harness/browser.mjs";
import { clientKey, sha256, start, webSecret } from "../harness/gateway.mjs";

let gateway;
let browser;
before(async () => {
	[gateway, browser] = await Promise.all([start(({ api, callback }) => `
	client express-told {
		type web
		redirect_uris ${callback}
		logout_uris ${new URL(callback).origin}
		backchannel_logout_uri ${new URL("/backchannel-logout", callback)}
		apis ${api}
		secret_hash ${sha256(webSecret)}
	}`), launch()]);
});
after(async () => {
	await browser?.close();
	await gateway?.stop();
});

let server;
afterEach(() => new Promise((done) => { server?.closeAllConnections(); server ? server.close(done) : done(); server = undefined; }));

const clients = [
	{ name: "client_secret_post", client: { clientID: "express", clientSecret: webSecret } },
	{ name: "client_secret_basic", client: { clientID: "express", clientSecret: webSecret, clientAuthMethod: "client_secret_basic" } },
	{
		name: "private_key_jwt, Auth0's logout",
		client: {
			clientID: "express-signs", clientAuthMethod: "private_key_jwt", auth0Logout: true,
			clientAssertionSigningKey: clientKey.privateKey.export({ type: "pkcs8", format: "pem" }), clientAssertionSigningAlg: "ES256",
		},
	},
];
for (const { name, client } of clients) {
	test(`log in, call the API, refresh, log out, back again: ${name}`, async () => {
		server = await listen(gateway, client);
		const context = await profile(browser);
		const page = await context.newPage();
		const home = new URL("/", gateway.callback).href;
		const open = async (path) => (await page.goto(home + path)).json();

		assert.equal((await open("")).user, null);
		await page.goto(home + "login");
		await signIn(page);
		await page.waitForURL(home);
		const user = (await open("")).user;
		assert.equal(user.sub, "local|alice");
		assert.equal(user.email, "alice@example.com");
		assert.equal((await open("profile")).name, "Alice Liddell");
		assert.deepEqual(await open("orders"), { status: 200, body: { user: "local|alice", header: "local|alice" } });

		for (let i = 0; i < 3; i++) {
			const refreshed = await open("refresh");
			assert.equal(refreshed.status, 200);
			assert.equal(refreshed.rotated, true);
			assert.ok(refreshed.expiresIn > 290 && refreshed.expiresIn <= 300, `expires in ${refreshed.expiresIn}`);
		}

		await page.goto(home + "logout");
		await page.waitForURL(home);
		assert.equal((await open("")).user, null);
		await page.goto(home + "login");
		await page.getByLabel("Password").waitFor(); // the session at the gateway is over too
		await signIn(page);
		await page.waitForURL(home);
		assert.equal((await open("orders")).status, 200);
		await context.close();
	});
}

// told is a store of the SDK's, in memory, and who waits for the next logout token.
function told() {
	const kept = new Map();
	let heard;
	return {
		next: () => new Promise((done) => { heard = done; }),
		get: (key, done) => done(null, kept.get(key)),
		set: (key, value, done) => { kept.set(key, value); done(null); heard?.(key); },
		destroy: (key, done) => { kept.delete(key); done(null); },
	};
}

test("a sign-out at the gateway reaches the application by back channel", async () => {
	const store = told();
	server = await listen(gateway, { clientID: "express-told", clientSecret: webSecret, backchannelLogout: { store } });
	const context = await profile(browser);
	const page = await context.newPage();
	const home = new URL("/", gateway.callback).href;
	const user = async () => (await (await page.goto(home)).json()).user;
	await page.goto(home + "login");
	await signIn(page);
	await page.waitForURL(home);
	assert.equal((await user()).sub, "local|alice");

	const heard = store.next();
	await page.goto(gateway.issuer + "account");
	await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
	await page.getByRole("heading", { name: "You are signed out" }).waitFor();
	assert.match(await heard, /\|/); // issuer and sid, or sub
	assert.equal(await user(), null);

	await page.goto(home + "login"); // and in again
	await signIn(page);
	await page.waitForURL(home);
	assert.equal((await user()).sub, "local|alice");
	await context.close();
});
