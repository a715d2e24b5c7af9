// A headless Chromium, and what a person does in it.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { chromium } from "playwright-core";
import { alice } from "./gateway.mjs";

const screenshots = resolve(import.meta.dirname, "../screenshots");

export function launch() {
	return chromium.launch({
		executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
		args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
	});
}

// profile returns a browser profile of its own: no cookies, no storage.
export async function profile(browser, options = {}) {
	const context = await browser.newContext(options);
	context.setDefaultTimeout(30_000);
	return context;
}

// signIn fills in the login page that the page or popup shows.
export async function signIn(page) {
	await page.getByLabel("Username").fill(alice.username);
	await page.getByLabel("Password").fill(alice.password);
	await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

// shoot keeps a picture of the page for people to look at.
export async function shoot(page, name) {
	await mkdir(screenshots, { recursive: true });
	await page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true });
}

// signsIn signs in as often as the page asks, and returns how often that was.
export async function signsIn(page) {
	for (let times = 1; times < 4; times++) {
		await Promise.all([page.waitForNavigation(), signIn(page)]);
		if (await page.getByLabel("Password").count() === 0) return times;
		assert.equal(await page.getByLabel("Username").inputValue(), "alice");
		await page.getByText("Please sign in again").waitFor();
		await shoot(page, "login-again");
	}
	assert.fail("the login page does not end");
}

// slow opens a tab whose network takes 150 ms for each answer.
export async function slow(context) {
	const page = await context.newPage();
	const devtools = await context.newCDPSession(page);
	await devtools.send("Network.enable");
	await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 150, downloadThroughput: -1, uploadThroughput: -1 });
	return page;
}
