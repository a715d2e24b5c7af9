import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { listen } from "../app/express.mjs";
import { launch, profile, signIn } from "../harness/browser.mjs";
import { clientKey, start, webSecret } from "../harness/gateway.mjs";

let gateway;
let browser;
before(async () => { [gateway, browser] = await Promise.all([start(), launch()]); });
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
