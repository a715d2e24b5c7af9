// People sign in at providers of others: at node-oidc-provider, and at a second Gatehouse.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { press, startApp } from "../harness/app.mjs";
import { launch, shoot, signIn, slow } from "../harness/browser.mjs";
import { alice, callAPI, sha256, start, webSecret } from "../harness/gateway.mjs";
import { providerSecret, signInThere, startProvider } from "../harness/provider.mjs";
import { secondPlaces, startSecond } from "../harness/second.mjs";

const small = { viewport: { width: 320, height: 568 } };
const people = () => ({
	ada: { name: "Ada Lovelace", email: "ada@example.org", email_verified: true, groups: ["staff"] },
	mary: { name: "Mary Somerville", email: "mary@example.org", email_verified: false, groups: ["staff", "editors"] },
	eve: { name: "Eve", email: "eve@example.net", email_verified: true, groups: ["visitors"] },
});

let app, node, late, second, gateway, browser;
before(async () => {
	const places = await secondPlaces();
	[app, node, late] = await Promise.all([startApp(), startProvider(people()), startProvider(people())]);
	await late.down();
	const client = (id, ...lines) => `client ${id} {\n${["type web", `redirect_uris ${app.callback}`, `logout_uris ${app.bye}`, `secret_hash ${sha256(webSecret)}`, ...lines].join("\n")}\n}\n`;
	gateway = await start(({ api }) => `
		login oidc node ${node.issuer} {
			label "Node account"
			client_id gatehouse
			client_secret "${providerSecret}"
			scopes openid profile email groups offline_access
			groups_claim groups
			allow group staff
		}
		login oidc second ${places.issuer} {
			label "The other Gatehouse"
			client_id gatehouse
			client_secret "${providerSecret}"
			scopes openid profile email offline_access
			parameter audience https://people.example.com
		}
		login oidc late ${late.issuer} {
			label "Late account"
			client_id gatehouse
			client_secret "${providerSecret}"
			allow anyone
		}
		${client("orders", 'name "Orders"', `apis ${api}`)}
		${client("one", 'name "Of the node"', `apis ${api}`, "logins node")}
		${client("two", 'name "Of strangers"', `apis ${api}`, "logins node second")}`);
	node.register(gateway.issuer + "callback/node");
	late.register(gateway.issuer + "callback/late");
	second = await startSecond(places, gateway.issuer + "callback/second");
	browser = await launch();
	gateway.secret(providerSecret);
});
after(async () => {
	await browser?.close();
	await gateway?.stop();
	await second?.stop();
	await Promise.all([node, late].map((provider) => provider?.down()));
	app?.close();
});

const authorize = (parameters) => app.authorize(gateway, { client_id: "orders", scope: "openid profile email offline_access orders:read", audience: gateway.api, ...parameters });
const arrives = (page, path) => app.arrives(gateway, page, path);
const visitor = async (t, options) => (await app.visitor(t, browser, options)).newPage();
const atNode = (page) => page.getByRole("heading", { name: "Sign in at the provider" }).waitFor();
const chooser = (page) => page.getByRole("button", { name: "Continue with Node account" }).waitFor();

// tokens redeems the code of an answer, and demands that the tokens are good: at the API, and to go on with.
async function tokens(answer, client_id = "orders") {
	const { status, body } = await app.redeem(gateway, { code: answer.get("code"), client_id });
	assert.equal(status, 200, JSON.stringify(body));
	gateway.secret(body.access_token, body.refresh_token, body.id_token);
	const claims = JSON.parse(Buffer.from(body.id_token.split(".")[1], "base64url"));
	assert.equal((await callAPI(gateway, body.access_token)).body.user, claims.sub);
	const again = await refresh(body, client_id);
	assert.equal(again.status, 200, JSON.stringify(again.body));
	return { ...body, ...again.body, claims };
}

async function refresh({ refresh_token }, client_id = "orders") {
	const answer = await fetch(gateway.issuer + "oauth/token", {
		method: "POST", body: new URLSearchParams({ grant_type: "refresh_token", client_id, client_secret: webSecret, refresh_token }),
	});
	const body = await answer.json();
	gateway.secret(body.access_token, body.refresh_token, body.id_token);
	return { status: answer.status, body };
}

// comesIn signs in by the node, from the page with all logins.
async function comesIn(page, name = "ada", parameters) {
	await page.goto(authorize(parameters));
	await press(page, "Continue with Node account");
	await signInThere(page, name);
	return (await arrives(page))[0];
}

for (const javaScriptEnabled of [true, false]) {
	test(`by each provider, ${javaScriptEnabled ? "with" : "without"} JavaScript`, async (t) => {
		const page = await visitor(t, { javaScriptEnabled, ...(javaScriptEnabled ? {} : small) });
		await page.goto(authorize());
		await chooser(page);
		await shoot(page, `provider-chooser-${javaScriptEnabled ? "desktop" : "320"}`);
		const ada = await tokens(await comesIn(page));
		assert.deepEqual([ada.claims.sub, ada.claims.name, ada.claims.email, ada.claims.email_verified], ["node|ada", "Ada Lovelace", "ada@example.org", true]);

		const other = await visitor(t, { javaScriptEnabled });
		await other.goto(authorize());
		await press(other, "Continue with The other Gatehouse");
		assert.ok(other.url().startsWith(second.issuer), other.url());
		await signIn(other);
		const { claims } = await tokens((await arrives(other))[0]);
		assert.deepEqual([claims.sub, claims.name], ["second|local|alice", "Alice Liddell"]);
	});
}

test("straight there where a client takes one login, and by SSO of the provider without a click", async (t) => {
	const page = await visitor(t);
	await page.goto(authorize({ client_id: "one" }));
	await signInThere(page, "ada");
	assert.equal((await tokens((await arrives(page))[0], "one")).claims.sub, "node|ada");
	await page.context().clearCookies({ domain: "localhost" });
	await page.goto(authorize({ client_id: "one", state: "again" }));
	assert.equal((await arrives(page))[0].get("state"), "again");
});

test("F01: three tabs at once, with 150 ms of latency", async (t) => {
	const { context } = { context: await app.visitor(t, browser) };
	const tabs = await Promise.all([slow(context), slow(context), slow(context)]);
	await Promise.all(tabs.map((page, i) => page.goto(authorize({ client_id: "one", state: `tab ${i}` }))));
	for (const page of tabs) await atNode(page);
	for (const [i, page] of tabs.entries()) {
		await page.bringToFront();
		await signInThere(page, "ada");
		const [answer, ...more] = await arrives(page);
		assert.deepEqual([answer.get("state"), answer.has("code"), more.length], [`tab ${i}`, true, 0]);
	}
});

test("F06: Back, and the callback once more", async (t) => {
	const page = await visitor(t);
	let callback;
	page.on("request", (request) => { if (request.url().startsWith(gateway.issuer + "callback/")) callback = request.url(); });
	const first = await comesIn(page);
	await page.goto(callback); // F5
	const [again] = await arrives(page);
	assert.equal(again.get("state"), first.get("state"));
	assert.notEqual(again.get("code"), first.get("code"));
	assert.equal((await app.redeem(gateway, { code: again.get("code"), client_id: "orders" })).status, 200);

	// Back leads to the page with all logins, which still works.
	await page.goto(authorize({ prompt: "login" }));
	await press(page, "Continue with Node account");
	await atNode(page);
	await page.goBack();
	await chooser(page);
	await press(page, "Continue with Node account");
	await signInThere(page, "ada");
	await arrives(page);

	// In another browser it is nobody's.
	const other = await visitor(t, small);
	assert.equal((await other.goto(callback)).status(), 400);
	await other.getByText("cannot be continued").waitFor();
	await shoot(other, "provider-stray-320");
});

test("a link back to where one came from, byte for byte", async (t) => {
	const page = await visitor(t);
	const state = "/orders/7?tab=Über uns&x=%2F+&y=\"<'>#1";
	const answer = await comesIn(page, "ada", { state });
	assert.equal(answer.get("state"), state);
	await tokens(answer);
});

test("the provider hangs up: the page says so and has ways on, and then it works", async (t) => {
	const page = await visitor(t, small);
	await page.goto(authorize({ state: "down" }));
	await press(page, "Continue with Node account");
	await atNode(page);
	node.dies = true;
	await signInThere(page, "ada");
	await page.getByText("Node account cannot be reached right now").waitFor();
	await shoot(page, "provider-down-320");
	node.dies = false;
	await press(page, "Continue with Node account");
	assert.equal((await arrives(page))[0].get("state"), "down");
});

test("F13: the provider is not there yet when the gateway starts", async (t) => {
	const page = await visitor(t);
	await page.goto(authorize());
	await press(page, "Continue with Late account");
	await page.getByText("Late account cannot be reached right now").waitFor();
	await shoot(page, "provider-late-desktop");
	await late.up();
	while (!page.url().startsWith(late.issuer)) await Promise.all([page.waitForNavigation(), press(page, "Continue with Late account")]);
	await signInThere(page, "ada");
	assert.equal((await tokens((await arrives(page))[0])).claims.sub, "late|ada");
});

test("slow by 5 s: the browser waits, and nobody else does", async (t) => {
	const [page, other] = [await visitor(t), await visitor(t)];
	node.latency = 5_000;
	t.after(() => { node.latency = 0; });
	await page.goto(authorize({ client_id: "one" }));
	const began = Date.now();
	await Promise.all([signInThere(page, "ada"), comesInLocally(other)]);
	assert.ok(Date.now() - began < 5_000, "somebody else waits, too");
	assert.equal((await arrives(page))[0].get("state"), "a state");
});

test("F59: the wrong person reads who they are, and comes in as another", async (t) => {
	for (const options of [{ ...small, javaScriptEnabled: false }, {}]) {
		const page = await visitor(t, options);
		await page.goto(authorize({ client_id: "two", state: "refused" }));
		await press(page, "Continue with Node account");
		await signInThere(page, "eve");
		await page.getByText("This account cannot sign in here").waitFor();
		await page.getByText("node|eve").waitFor();
		await page.getByText("eve@example.net").waitFor();
		await page.getByRole("button", { name: "Continue with The other Gatehouse" }).waitFor();
		await shoot(page, `provider-refused-${options.viewport ? "320" : "desktop"}`);
		await page.reload(); // and nothing is worse
		await page.goto(authorize({ client_id: "two", state: "refused" }));
		await press(page, "Continue with Node account");
		await page.getByText("node|eve").waitFor();

		await press(page, "Use another account");
		await page.getByRole("heading", { name: "Which account?" }).waitFor();
		assert.equal(node.asked.at(-1).get("prompt"), "select_account");
		await signInThere(page, "ada");
		const [answer] = await arrives(page);
		assert.equal(answer.get("state"), "refused");
		assert.equal((await tokens(answer, "two")).claims.sub, "node|ada");

		await page.goto(authorize({ client_id: "two", prompt: "login" }));
		await press(page, "Continue with Node account");
		await signInThere(page, "eve");
		await press(page, "Cancel");
		assert.equal((await arrives(page))[0].get("error"), "access_denied");
	}
});

test("the person says no at the provider", async (t) => {
	const page = await visitor(t, small);
	await page.goto(authorize());
	await press(page, "Continue with Node account");
	await press(page, "Never mind");
	await page.getByText("The sign-in was canceled").waitFor();
	await shoot(page, "provider-canceled-320");
	await press(page, "Cancel");
	assert.equal((await arrives(page))[0].get("error"), "access_denied");
});

test("F60: signed out, and in again only by a click, as whom one chooses", async (t) => {
	const page = await visitor(t);
	await page.goto(authorize({ client_id: "one" }));
	await signInThere(page, "ada");
	await arrives(page);
	await page.goto(app.logout(gateway).replace("goes-on", "one"));
	await press(page, "Sign out");
	await arrives(page, "bye");
	await page.goto(authorize({ client_id: "one" }));
	await shoot(page, "provider-one-desktop");
	await press(page, "Continue with Node account");
	await page.getByRole("button", { name: "Go on as ada" }).click();
	await arrives(page);
	await page.goto(authorize({ client_id: "one" }));
	await arrives(page);
});

test("F75: connection= and the domain of login_hint choose, and the login used last is the first", async (t) => {
	const page = await visitor(t);
	await page.goto(authorize({ connection: "node", login_hint: "ada" }));
	await atNode(page);
	assert.equal(await page.getByLabel("Name at the provider").inputValue(), "ada");
	await page.goto(authorize({ connection: "second", login_hint: "alice" }));
	assert.equal(await page.getByLabel("Username").inputValue(), "alice");
	await page.goto(authorize({ connection: "nobody" }));
	await chooser(page);
	await page.goto(authorize({ client_id: "one", connection: "second" })); // which is not one of this client
	await atNode(page);

	await page.goto(authorize());
	await press(page, "Continue with The other Gatehouse");
	await signIn(page);
	await arrives(page);
	await page.goto(authorize({ prompt: "select_account" }));
	const labels = await page.getByRole("button", { name: "Continue with" }).allInnerTexts();
	assert.equal(labels[0], "Continue with The other Gatehouse");
});

test("F67 to F69: prompt=none, prompt=login, max_age", async (t) => {
	const page = await visitor(t);
	await page.goto(authorize({ prompt: "none" }));
	assert.equal((await arrives(page))[0].get("error"), "login_required");
	const asked = node.asked.length;
	await comesIn(page);
	await page.goto(authorize({ prompt: "none" }));
	assert.ok((await arrives(page))[0].get("code"));
	assert.equal(node.asked.length, asked + 1);

	for (const parameters of [{ prompt: "login" }, { max_age: "0" }, { prompt: "login", client_id: "one" }]) {
		const began = Math.floor(Date.now() / 1000);
		await page.goto(authorize(parameters));
		if (!parameters.client_id) await press(page, "Continue with Node account");
		await atNode(page); // though it knows the person
		await signInThere(page, "ada");
		const { claims } = await tokens((await arrives(page))[0], parameters.client_id);
		assert.ok(claims.auth_time >= began - 1, `auth_time ${claims.auth_time}, began ${began}`);
	}
	await page.goto(authorize({ max_age: "3600" })); // as long ago as that it is not
	assert.ok((await arrives(page))[0].get("code"));
});

test("F17: the provider changes its keys without a word", async (t) => {
	await tokens(await comesIn(await visitor(t)));
	node.changeKeys();
	await tokens(await comesIn(await visitor(t)));
});

test("cookies are deleted while one is at the provider", async (t) => {
	const page = await visitor(t);
	await page.goto(authorize());
	await press(page, "Continue with Node account");
	await atNode(page);
	await page.context().clearCookies({ domain: "localhost" });
	await signInThere(page, "ada");
	await page.getByText("Go back to the application and sign in again").waitFor();
	assert.equal(app.seen.length, 0);
});

test("/account shows the person", async (t) => {
	const page = await visitor(t, small);
	await tokens(await comesIn(page));
	await page.goto(gateway.issuer + "account");
	await page.getByText("Ada Lovelace").waitFor();
	await page.getByText("Orders").first().waitFor();
	await shoot(page, "provider-account-320");

	const other = await visitor(t);
	await other.goto(gateway.issuer + "account");
	await press(other, "Continue with Node account");
	await signInThere(other, "mary");
	await other.waitForURL(gateway.issuer + "account");
	await other.getByText("Mary Somerville").waitFor();
});

test("by the keyboard alone: the providers first, then the fields, then Cancel", async (t) => {
	const page = await visitor(t);
	await page.goto(authorize());
	const order = [];
	for (let i = 0; i < 7; i++) {
		await page.keyboard.press("Tab");
		order.push(await page.evaluate(() => document.activeElement.innerText || document.activeElement.name));
	}
	assert.deepEqual(order, ["Continue with Node account", "Continue with The other Gatehouse", "Continue with Late account", "username", "password", "Sign in", "Cancel"]);
	await page.goto(authorize());
	await page.keyboard.press("Tab");
	await shoot(page, "provider-focus-desktop");
	await page.keyboard.press("Enter");
	await atNode(page);

	// Enter in the fields is the password, not a provider.
	await page.goto(authorize());
	await page.getByLabel("Username").fill(alice.username);
	await page.getByLabel("Password").fill(alice.password);
	await page.getByLabel("Password").press("Enter");
	await arrives(page);
});

// comesInLocally signs in by the password of the gateway itself.
async function comesInLocally(page) {
	await page.goto(authorize());
	await signIn(page);
	await page.getByText("Arrived").waitFor();
}
