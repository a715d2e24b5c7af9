// S1: people arrive wherever the app takes them. Its callback redirects on to
// another origin, as apex to www, a broker or a private scheme do. form-action
// was the redirect URI's origin alone, which Chromium applies to every redirect
// that follows a form: people stayed on our page, with their code spent.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { press, startApp } from "../harness/app.mjs";
import { launch, profile, shoot, signIn } from "../harness/browser.mjs";
import { start } from "../harness/gateway.mjs";

let app, gateway, browser;

before(async () => {
	app = await startApp();
	[gateway, browser] = await Promise.all([
		start(app.clients + 'client phone {\ntype native\nname "Orders on the phone"\nredirect_uris com.example.orders:/cb\n}\n'),
		launch(),
	]);
});
after(async () => {
	await browser?.close();
	await gateway?.stop();
	app?.close();
});

const authorize = (parameters) => app.authorize(gateway, parameters);

// visit opens a page in a browser of its own, with script or without.
async function visit(t, url, options) {
	const context = await profile(browser, options);
	t.after(() => context.close());
	const page = await context.newPage();
	const refused = [];
	page.on("console", (message) => { if (/Security Policy/.test(message.text())) refused.push(message.text()); });
	t.after(() => assert.deepEqual(refused, []));
	app.seen.length = 0;
	await page.goto(url);
	return page;
}

// postsOn presses the button of the form_post page where no script does so.
async function postsOn(page, { javaScriptEnabled = true }) {
	if (javaScriptEnabled) return;
	await shoot(page, "form-post");
	await press(page, "Continue");
}

// arrives waits for the last place, and returns what the app was sent.
async function arrives(page, path) {
	await page.waitForURL(app.home + path);
	await page.getByText("Arrived").waitFor();
	const [{ at, form, referrer }, ...more] = app.seen.splice(0);
	assert.deepEqual(more, []);
	assert.equal(referrer, undefined);
	const answer = form ?? at.searchParams;
	gateway.secret(answer.get("code"));
	return answer;
}

for (const [how, options] of [["script", {}], ["no script", { javaScriptEnabled: false }]]) {
	test(`S1: people arrive on the application's last page, with ${how}`, async (t) => {
		const page = await visit(t, authorize({}), options);
		const go = (parameters) => page.goto(authorize(parameters));

		await t.test("after Cancel", async () => {
			await press(page, "Cancel");
			assert.equal((await arrives(page, "callback")).get("error"), "access_denied");
		});
		await t.test("after Cancel, by form_post", async () => {
			await go({ response_mode: "form_post" });
			await press(page, "Cancel");
			await postsOn(page, options);
			assert.equal((await arrives(page, "callback")).get("error"), "access_denied");
		});
		await t.test("after the password", async () => {
			await go({});
			await signIn(page);
			assert.ok((await arrives(page, "callback")).get("code"));
			// Back asks us again, sends no form again, and leads to the application.
			await page.goBack();
			assert.ok((await arrives(page, "callback")).get("code"));
		});
		for (const [button, parameter] of [["Allow", "code"], ["Deny", "error"]]) {
			await t.test(`after consent, ${button}`, async () => {
				await go({ client_id: "asks-first", prompt: "consent" });
				await press(page, button);
				assert.ok((await arrives(page, "callback")).get(parameter));
			});
		}
		await t.test("by form_post, signed in before", async () => {
			await go({ response_mode: "form_post" });
			await postsOn(page, options);
			assert.ok((await arrives(page, "callback")).get("code"));
		});
		await t.test("by form_post, after consent", async () => {
			await go({ client_id: "asks-first", prompt: "consent", response_mode: "form_post" });
			await press(page, "Allow");
			await postsOn(page, options);
			assert.ok((await arrives(page, "callback")).get("code"));
		});
		await t.test("after logout", async () => {
			await page.goto(gateway.issuer + "oidc/logout?" + new URLSearchParams({ client_id: "goes-on", post_logout_redirect_uri: app.bye, state: "s" }));
			await shoot(page, "logout-asks");
			await press(page, "Sign out");
			assert.equal((await arrives(page, "bye")).get("state"), "s");
		});
		await t.test("by form_post, after the password", async () => {
			await go({ response_mode: "form_post" });
			await signIn(page);
			await postsOn(page, options);
			assert.ok((await arrives(page, "callback")).get("code"));
		});
	});
}

// Chromium has no application for a private scheme here: what counts is that it
// asks for one, which it does not where a policy refuses.
for (const [name, parameters, to] of [
	["of the client's own", () => ({ client_id: "phone", redirect_uri: "com.example.orders:/cb" }), "com.example.orders:/cb"],
	["that the app's callback leads to", () => ({ redirect_uri: app.callback + "?app=private" }), "com.example.broker:/signed-in"],
]) {
	test(`S1: to a private scheme ${name}`, async (t) => {
		const page = await visit(t, authorize(parameters()));
		const asked = new Promise((done) => page.on("request", (request) => { if (request.url().startsWith(to)) done(request.url()); }));
		await signIn(page);
		const url = new URL(await asked);
		gateway.secret(url.searchParams.get("code"));
	});
}

test("S1: pages whose forms lead nowhere else keep form-action", async (t) => {
	const page = await visit(t, gateway.issuer + "account");
	const policyOf = async (url) => (await (await page.goto(url)).allHeaders())["content-security-policy"];
	for (const path of ["account", "activate", "oidc/logout"]) {
		assert.match(await policyOf(gateway.issuer + path), /form-action '(self|none)'/, path);
	}
	await page.goto(gateway.issuer + "account");
	await signIn(page);
	await page.getByRole("heading", { name: "Your account" }).waitFor();
	for (const path of ["account", "activate", "oidc/logout"]) {
		assert.match(await policyOf(gateway.issuer + path), /form-action 'self'/, path);
	}
	for (const parameters of [{ response_mode: "form_post", prompt: "login" }, { client_id: "spa", redirect_uri: gateway.app + "auth0.html", response_mode: "web_message", prompt: "login" }]) {
		assert.match(await policyOf(authorize(parameters)), /form-action 'self'/);
	}
	assert.doesNotMatch(await policyOf(authorize({ prompt: "login" })), /form-action/);
});
