// Requests that another site posts, another name of our host, and paths of nobody.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { press, startApp } from "../harness/app.mjs";
import { launch, shoot, signIn, signsIn } from "../harness/browser.mjs";
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

const authorize = (parameters) => app.authorize(gateway, parameters);
const consent = (parameters) => authorize({ client_id: "asks-first", prompt: "consent", ...parameters });
const arrives = (page, path) => app.arrives(gateway, page, path);

for (const [how, options] of [["script", {}], ["no script", { javaScriptEnabled: false }]]) {
	const postsOn = async (page) => { if (options.javaScriptEnabled === false) await press(page, "Continue"); };

	test(`S11: another site posts the authorization request, with ${how}`, async (t) => {
		const context = await app.visitor(t, browser, options);
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
		const context = await app.visitor(t, browser, options);
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
	const context = await app.visitor(t, browser);
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
	await other.goto(elsewhere(consent({ prompt: "login consent" })));
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
	const context = await app.visitor(t, browser);
	const page = await context.newPage();
	for (const [path, heading, status] of [["", "Start at the application", 200], ["nothing", "Page not found", 404]]) {
		assert.equal((await page.goto(gateway.issuer + path)).status(), status);
		await page.getByRole("heading", { name: heading }).waitFor();
		await shoot(page, `issuer-${path}`);
	}
});
