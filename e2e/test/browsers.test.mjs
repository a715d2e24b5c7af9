// What people do in browsers: tabs at once, double clicks, Back and resubmit, cookies
// that are gone, another name of the host. The application's callback goes on to
// another origin each time, as in arrival.test.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { press, startApp } from "../harness/app.mjs";
import { launch, profile, shoot, signIn } from "../harness/browser.mjs";
import { start } from "../harness/gateway.mjs";

let app, gateway, browser;
before(async () => {
	app = await startApp();
	[gateway, browser] = await Promise.all([start(app.clients), launch()]);
});
after(async () => {
	await browser?.close();
	await gateway?.stop();
	app?.close();
});

const authorize = (parameters) => gateway.issuer + "authorize?" + new URLSearchParams(app.parameters(parameters));
const consent = (parameters) => authorize({ client_id: "asks-first", ...parameters });
const logout = () => gateway.issuer + "oidc/logout?" + new URLSearchParams({ client_id: "goes-on", post_logout_redirect_uri: app.bye, state: "s" });

async function visitor(t, options) {
	const context = await profile(browser, options);
	t.after(() => context.close());
	app.seen.length = 0;
	return context;
}

// slow opens a tab whose network takes 150 ms for each answer.
async function slow(context) {
	const page = await context.newPage();
	const devtools = await context.newCDPSession(page);
	await devtools.send("Network.enable");
	await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 150, downloadThroughput: -1, uploadThroughput: -1 });
	return page;
}

// arrives waits for the application's last page, and returns all that the application was sent.
async function arrives(page, path = "callback") {
	await page.waitForURL(app.home + path);
	await page.getByText("Arrived").waitFor();
	const answers = app.seen.splice(0).map(({ at }) => at.searchParams);
	for (const answer of answers) gateway.secret(answer.get("code"));
	return answers;
}

// signsIn signs in as often as the page asks, and returns how often that was.
async function signsIn(page) {
	for (let times = 1; times < 4; times++) {
		await Promise.all([page.waitForNavigation(), signIn(page)]);
		if (await page.getByLabel("Password").count() === 0) return times;
		assert.equal(await page.getByLabel("Username").inputValue(), "alice");
		await page.getByText("Please sign in again").waitFor();
		await shoot(page, "login-again");
	}
	assert.fail("the login page does not end");
}

test("S4: three tabs at once, with 150 ms of latency and no cookie", async (t) => {
	const context = await visitor(t);
	const tabs = await Promise.all([slow(context), slow(context), slow(context)]);
	await Promise.all(tabs.map((page, i) => page.goto(authorize({ state: `tab ${i}` }))));
	for (const [i, page] of tabs.entries()) {
		await page.bringToFront();
		assert.ok(await signsIn(page) <= 2);
		const [answer, ...more] = await arrives(page);
		assert.deepEqual([answer.get("state"), answer.has("code"), more.length], [`tab ${i}`, true, 0]);
	}
});

test("S4: cookies are deleted while the login page is open", async (t) => {
	const context = await visitor(t);
	const [first, second] = [await context.newPage(), await context.newPage()];
	await first.goto(authorize({ state: "first" }));
	await context.clearCookies();
	await second.goto(authorize({ state: "second" }));
	assert.equal(await signsIn(second), 1);
	assert.equal((await arrives(second))[0].get("state"), "second");
	assert.equal(await signsIn(first), 2);
	assert.equal((await arrives(first))[0].get("state"), "first");
	const { expires } = (await context.cookies()).find(({ name }) => name.endsWith("gatehouse_browser"));
	assert.ok(expires > Date.now() / 1000 + 300 * 24 * 3600, "restored tabs begin with a cookie");
});

test("S4: cookies are deleted while the consent and the logout page are open", async (t) => {
	const context = await visitor(t);
	const page = await context.newPage();
	await page.goto(consent());
	await signIn(page);
	await page.getByRole("heading", { name: "Allow access?" }).waitFor();
	await context.clearCookies();
	await press(page, "Allow");
	await page.getByText("Please sign in again").waitFor();
	await signIn(page);
	await press(page, "Allow");
	assert.ok((await arrives(page))[0].get("code"));

	await page.goto(logout());
	await page.getByText("Alice Liddell").waitFor();
	await context.clearCookies();
	await press(page, "Sign out");
	await page.getByText("This page was out of date").waitFor();
	await shoot(page, "logout-again");
	await press(page, "Sign out");
	assert.equal((await arrives(page, "bye"))[0].get("state"), "s");
});

test("S3: double clicks", async (t) => {
	const context = await visitor(t);
	const page = await slow(context);
	await page.goto(consent());
	await page.getByLabel("Username").fill("alice");
	await page.getByLabel("Password").fill("wonderland");
	await page.getByRole("button", { name: "Sign in", exact: true }).dblclick();
	for (const [button, parameter] of [["Allow", "code"], ["Deny", "error"]]) {
		await page.getByRole("button", { name: button, exact: true }).dblclick();
		const answers = await arrives(page);
		assert.equal(new Set(answers.map((answer) => answer.get(parameter))).size, 1);
		assert.ok(answers[0].get(parameter));
		if (parameter === "code") {
			const { status, body } = await app.redeem(gateway, { code: answers[0].get("code"), client_id: "asks-first" });
			gateway.secret(body.access_token, body.id_token);
			assert.equal(status, 200);
		}
		await page.goto(consent());
	}
	await page.goto(logout());
	await page.getByRole("button", { name: "Sign out", exact: true }).dblclick();
	assert.equal((await arrives(page, "bye"))[0].get("state"), "s");
	await page.goto(authorize());
	await page.getByLabel("Password").waitFor();
});

test("S3: a second click while the application is slow to answer the first", async (t) => {
	const context = await visitor(t);
	const page = await context.newPage();
	const redirect_uri = app.callback + "?app=slow";
	await page.goto(authorize());
	await signIn(page);
	await arrives(page);
	await page.goto(consent({ redirect_uri }));
	const { x, y, width, height } = await page.getByRole("button", { name: "Allow", exact: true }).boundingBox();
	for (let click = 1; click <= 2; click++) {
		await page.mouse.click(x + width / 2, y + height / 2);
		await app.holds(click);
	}
	const codes = app.seen.map(({ at }) => at.searchParams.get("code"));
	gateway.secret(...codes);
	assert.ok(codes[0]);
	assert.equal(codes[1], codes[0]);
	app.release();
	await arrives(page);
	const { status, body } = await app.redeem(gateway, { code: codes[0], redirect_uri, client_id: "asks-first" });
	gateway.secret(body.access_token, body.id_token);
	assert.equal(status, 200);
});

test("S3: the same person signs in again in another tab, then Allow", async (t) => {
	const context = await visitor(t);
	const [page, other] = [await context.newPage(), await context.newPage()];
	await page.goto(consent());
	await signIn(page);
	await page.getByRole("heading", { name: "Allow access?" }).waitFor();
	await other.goto(authorize({ prompt: "login" }));
	await signIn(other);
	await arrives(other);
	await press(page, "Allow");
	await page.getByText("This page was out of date").waitFor();
	await page.getByText("Alice Liddell").waitFor();
	await shoot(page, "consent-again");
	await press(page, "Allow");
	assert.ok((await arrives(page))[0].get("code"));
});

test("S3: Back and resubmit", async (t) => {
	const context = await visitor(t);
	const page = await context.newPage();
	await page.goto(consent());
	await signIn(page);
	await page.getByRole("heading", { name: "Allow access?" }).waitFor();
	await page.reload(); // posts the password again
	await press(page, "Allow");
	assert.ok((await arrives(page))[0].get("code"));
	await page.goto(consent());
	await press(page, "Allow");
	const [{ code: first }] = (await arrives(page)).map(Object.fromEntries.bind(Object));
	await page.goBack();
	await press(page, "Allow");
	const [{ code: second }] = (await arrives(page)).map(Object.fromEntries.bind(Object));
	assert.ok(first && second);
});

for (const [how, options] of [["script", {}], ["no script", { javaScriptEnabled: false }]]) {
	const postsOn = async (page) => { if (options.javaScriptEnabled === false) await press(page, "Continue"); };

	test(`S11: another site posts the authorization request, with ${how}`, async (t) => {
		const context = await visitor(t, options);
		const [page, other] = [await context.newPage(), await context.newPage()];
		const post = async (parameters) => {
			await page.goto(app.form(gateway.issuer + "authorize", app.parameters(parameters)));
			await press(page, "Send");
		};
		await other.goto(authorize({ state: "other" })); // a tab with a login page, before there is a session
		await post();
		await signIn(page);
		let [answer] = await arrives(page);
		const { body } = await app.redeem(gateway, { code: answer.get("code") });
		gateway.secret(body.access_token, body.id_token);
		await post(); // single sign-on
		[answer] = await arrives(page);
		assert.deepEqual([answer.has("code"), answer.get("state")], [true, "a state"]);
		await post({ id_token_hint: body.id_token });
		await postsOn(page);
		assert.ok((await arrives(page))[0].get("code"));
		assert.equal(await signsIn(other), 1); // the other tab still works
		assert.equal((await arrives(other))[0].get("state"), "other");
	});

	test(`S11: another site posts the logout, with ${how}`, async (t) => {
		const context = await visitor(t, options);
		const page = await context.newPage();
		await page.goto(authorize());
		await signIn(page);
		const { body } = await app.redeem(gateway, { code: (await arrives(page))[0].get("code") });
		gateway.secret(body.access_token, body.id_token);
		const post = async (parameters) => {
			await page.goto(app.form(gateway.issuer + "oidc/logout", parameters));
			await press(page, "Send");
		};
		await post({ client_id: "goes-on", post_logout_redirect_uri: app.bye, state: "s" });
		await page.getByText("Alice Liddell").waitFor();
		await press(page, "Stay signed in");
		await page.getByText("You are still signed in").waitFor();
		await page.goto(authorize({ prompt: "none" }));
		assert.ok((await arrives(page))[0].get("code"));
		await post({ id_token_hint: body.id_token, post_logout_redirect_uri: app.bye, state: "s" });
		if (options.javaScriptEnabled === false) await shoot(page, "going-on");
		await postsOn(page);
		assert.equal((await arrives(page, "bye"))[0].get("state"), "s");
		await page.goto(authorize({ prompt: "none" }));
		assert.equal((await arrives(page))[0].get("error"), "login_required");
	});
}

test("S13: the gateway by another name of its host", async (t) => {
	const context = await visitor(t);
	const [page, other] = [await context.newPage(), await context.newPage()];
	const elsewhere = (url) => url.replace("localhost", "127.0.0.1");
	assert.notEqual(elsewhere(gateway.issuer), gateway.issuer);
	await page.goto(elsewhere(consent()));
	assert.ok(page.url().startsWith(gateway.issuer));
	await signIn(page);
	await press(page, "Allow");
	const [answer] = await arrives(page);
	assert.deepEqual([answer.has("code"), answer.get("iss")], [true, gateway.issuer]);
	for (const path of ["account", "activate", "oidc/logout"]) {
		await context.clearCookies({ name: /gatehouse_moved/ }); // which lasts for a minute
		await other.goto(elsewhere(gateway.issuer) + path);
		assert.equal(other.url(), gateway.issuer + path);
		await other.getByText("Alice Liddell").waitFor();
	}
	// Within that minute a form may be shown elsewhere: it is shown again at the right place.
	await other.goto(elsewhere(gateway.issuer) + "account");
	await other.goto(elsewhere(consent({ prompt: "login" })));
	assert.ok(other.url().startsWith(elsewhere(gateway.issuer)));
	await signIn(other);
	await other.getByText("Please sign in again").waitFor();
	assert.ok(other.url().startsWith(gateway.issuer));
	await shoot(other, "login-moved");
	await signIn(other);
	await press(other, "Allow");
	assert.ok((await arrives(other))[0].get("code"));
});

test("S28: the issuer's own address, and one where nothing is", async (t) => {
	const context = await visitor(t);
	const page = await context.newPage();
	for (const [path, heading, status] of [["", "Start at the application", 200], ["nothing", "Page not found", 404]]) {
		assert.equal((await page.goto(gateway.issuer + path)).status(), status);
		await page.getByRole("heading", { name: heading }).waitFor();
		await shoot(page, `issuer-${path}`);
	}
});
