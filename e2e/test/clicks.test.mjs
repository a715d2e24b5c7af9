// Double clicks, Back and resubmit, and a second sign-in meanwhile.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { press, startApp } from "../harness/app.mjs";
import { launch, shoot, signIn, slow } from "../harness/browser.mjs";
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

test("S3: double clicks", async (t) => {
	const context = await app.visitor(t, browser);
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
	await page.goto(app.logout(gateway));
	await page.getByRole("button", { name: "Sign out", exact: true }).dblclick();
	assert.equal((await arrives(page, "bye"))[0].get("state"), "s");
	await page.goto(authorize());
	await page.getByLabel("Password").waitFor();
});

test("S3: a second click while the application is slow to answer the first", async (t) => {
	const context = await app.visitor(t, browser);
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
	const context = await app.visitor(t, browser);
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
	const context = await app.visitor(t, browser);
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
