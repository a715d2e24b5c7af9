// A headless Chromium, and what a person does in it.
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
