// Pictures of the pages for docs/pages: `make screenshots`. English all, other languages the login and consent page.
import { mkdir, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { launch, profile } from "./harness/browser.mjs";
import { start } from "./harness/gateway.mjs";
import { languages, options, serveClient, sites, walk } from "./harness/pages.mjs";

const folder = resolve(import.meta.dirname, process.argv[2] ?? "../docs/pages");
const views = {
	light: { colorScheme: "light", viewport: { width: 560, height: 400 } },
	dark: { colorScheme: "dark", viewport: { width: 560, height: 400 } },
	phone: { colorScheme: "light", viewport: { width: 320, height: 500 } },
};

// wanted says which pictures are kept: each is there once in English, and what differs most in the other ways.
function wanted(name, language, view) {
	if (process.argv[3] === "all") return true;
	if (language !== "en") return view === "light" && ["login", "consent"].includes(name);
	return { light: true, dark: ["login", "consent"].includes(name), phone: ["login", "account"].includes(name) }[view];
}

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
const [gateway, browser] = await Promise.all([start(options, sites), launch()]);
const client = serveClient(gateway);
for (const [view, look] of Object.entries(views)) {
	for (const language of languages) {
		if (!["login", "consent"].some((name) => wanted(name, language, view))) continue;
		const context = await profile(browser, { ...look, timezoneId: "UTC", locale: language });
		await walk(gateway, await context.newPage(), language, async (name, page) => {
			if (wanted(name, language, view)) await page.screenshot({ path: `${folder}/${name}.${language}${view === "light" ? "" : "." + view}.png`, fullPage: true });
		});
		await context.close();
	}
}
client.close();
await browser.close();
await gateway.stop(/"login":"company"|"status":503/);
