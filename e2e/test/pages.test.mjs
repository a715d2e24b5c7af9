// The pages that people see, in light and dark and on a phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, profile, shoot, signIn } from "../harness/browser.mjs";
import { alice, start } from "../harness/gateway.mjs";

let gateway;
let browser;
before(async () => { [gateway, browser] = await Promise.all([start(), launch()]); });
after(async () => {
	await browser?.close();
	await gateway?.stop();
});

const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const authorize = (parameters) => gateway.issuer + "authorize?" + new URLSearchParams({
	client_id: "asks",
	response_type: "code",
	redirect_uri: gateway.callback,
	scope: "openid profile offline_access orders:read",
	audience: gateway.api,
	code_challenge: challenge,
	code_challenge_method: "S256",
	state: "a state",
	prompt: "consent",
	...parameters,
});

const views = [
	{ name: "light", options: { colorScheme: "light" } },
	{ name: "dark", options: { colorScheme: "dark" } },
	{ name: "phone", options: { colorScheme: "light", viewport: { width: 360, height: 640 }, javaScriptEnabled: false } },
];
for (const { name, options } of views) {
	test(`login, consent, errors and logout: ${name}`, async () => {
		const context = await profile(browser, options);
		await context.route(gateway.callback + "**", (route) => route.fulfill({ body: "the client" }));
		const page = await context.newPage();
		const problems = [];
		page.on("console", (message) => { if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) problems.push(message.text()); });

		await page.goto(authorize({}));
		assert.equal(await page.locator("html").getAttribute("lang"), "en");
		assert.equal(await page.locator(":focus").getAttribute("name"), "username");
		await shoot(page, `login-${name}`);
		await page.keyboard.type(alice.username);
		await page.keyboard.press("Tab");
		await page.keyboard.type("a wrong password");
		await page.keyboard.press("Enter");
		await page.getByText("Incorrect username or password").waitFor();
		assert.equal(await page.getByLabel("Username").inputValue(), alice.username);
		await shoot(page, `login-wrong-${name}`);

		await signIn(page);
		await page.getByRole("button", { name: "Allow" }).waitFor();
		await shoot(page, `consent-${name}`);
		await page.getByRole("button", { name: "Allow" }).click();
		await page.waitForURL(gateway.callback + "**");
		const answer = new URL(page.url()).searchParams;
		gateway.secret(answer.get("code"));
		assert.equal(answer.get("state"), "a state");
		assert.equal(answer.get("iss"), gateway.issuer);

		await page.goto(authorize({ redirect_uri: "https://elsewhere.example/" }));
		await shoot(page, `error-${name}`);
		assert.ok(!page.url().startsWith("https://elsewhere.example/"));

		await page.goto(gateway.issuer + "oidc/logout");
		await shoot(page, `logout-${name}`);
		const confirm = page.getByRole("button");
		if (await confirm.count() > 0) await confirm.first().click();
		await page.getByText("You are signed out").waitFor();
		await shoot(page, `logged-out-${name}`);
		await page.goto(authorize({}));
		await page.getByLabel("Password").waitFor();

		assert.deepEqual(problems, []);
		await context.close();
	});
}

test("no page can be framed by another site", async () => {
	const context = await profile(browser);
	const page = await context.newPage();
	await page.goto(gateway.app + "auth0.html", { waitUntil: "commit" });
	await page.setContent(`<iframe src="${authorize({}).replaceAll("&", "&amp;")}"></iframe>`);
	const frame = page.frames()[1] ?? await page.waitForEvent("framenavigated");
	await frame.waitForLoadState();
	assert.equal(await frame.getByLabel("Password").count(), 0);
	await context.close();
});
