// Ten of the programs in e2e/clients, those that differ most; `make clients` runs all.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "../harness/browser.mjs";
import { startFor } from "../harness/clients-gateway.mjs";
import { all, install } from "../harness/clients.mjs";
import { drive } from "../harness/drive.mjs";

const clients = await all(["jsonwebtoken", "passport-oauth2"]);

let gateway;
let browser;
before(async () => {
	[gateway] = await Promise.all([startFor(clients), ...clients.map(install)]);
});
after(async () => {
	await (await browser)?.close();
	await gateway?.stop();
});

for (const client of clients) {
	test(`${client.name}: ${client.does.join(", ")}`, () => drive(client, gateway, () => (browser ??= launch())));
}

test("every program does something, and says where its authors show it", async () => {
	for (const client of await all()) {
		assert.ok(client.does.length > 0 && URL.canParse(client.page), client.name);
	}
});
