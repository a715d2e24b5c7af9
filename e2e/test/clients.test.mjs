// Ten of the programs in e2e/clients, those that differ most; `make clients` runs all.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "../harness/browser.mjs";
import { gateways, startFor } from "../harness/clients-gateway.mjs";
import { all, install } from "../harness/clients.mjs";
import { drive } from "../harness/drive.mjs";

const clients = await all([
	"passport-oauth2", "grant", "hapi-bell", "client-oauth2", "fastify-oauth2", "goth", "zitadel-rp",
	"express-oauth2-jwt-bearer", "fastify-jwt-jwks", "jsonwebtoken",
]);

let started;
let browser;
before(async () => {
	started = new Map();
	await Promise.all([...clients.map(install), ...gateways(clients).map(async (group) => {
		const gateway = await startFor(group);
		for (const client of group) started.set(client, gateway);
	})]);
});
after(async () => {
	await (await browser)?.close();
	await Promise.all([...new Set(started.values())].map((gateway) => gateway.stop()));
});

for (const client of clients) {
	test(`${client.name}: ${client.does.join(", ")}`, () => drive(client, started.get(client), () => (browser ??= launch())));
}

test("every program does something, and says where its authors show it", async () => {
	for (const client of await all()) {
		assert.ok(client.does.length > 0 && URL.canParse(client.page), client.name);
	}
});
