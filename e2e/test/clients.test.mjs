// Ten of the programs in e2e/clients, those that differ most; `make clients` runs all.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { launch } from "../harness/browser.mjs";
import { gateways, startFor } from "../harness/clients-gateway.mjs";
import { all, folder, install } from "../harness/clients.mjs";
import { drive } from "../harness/drive.mjs";

const docs = resolve(import.meta.dirname, "../../docs");

const clients = await all([
	"passport-oauth2", "grant", "hapi-bell", "client-oauth2", "fastify-oauth2", "goth", "zitadel-rp",
	"express-oauth2-jwt-bearer", "fastify-jwt-jwks", "keycloak-js",
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

test("docs/clients.md has a row for each program, with its version and what it does", async () => {
	const page = await readFile(join(docs, "clients.md"), "utf8");
	const shown = page.match(/^\| \[.*$/gm).map((row) => row.replace(/ \| [^|]* \|$/, " |"));
	const clients = (await all()).filter(({ kind }) => kind !== "mcp"); // which docs/mcp.md has
	const rows = clients.map((client) => {
		const does = client.kind === "api" ? "verifies access tokens" : client.does.join(", ");
		return `| [${client.name}](${client.page}) | ${client.version} | ${does} |`;
	});
	assert.deepEqual(shown.toSorted(), rows.toSorted());
	for (const client of clients) {
		const row = page.split("\n").find((line) => line.startsWith(`| [${client.name}]`));
		assert.equal(row.includes("token_profile auth0"), client.profile === "auth0", row);
		assert.equal(row.includes("access_token_algorithm"), client.signing !== undefined, row);
	}
	const { devDependencies } = JSON.parse(await readFile(join(docs, "../e2e/package.json"), "utf8"));
	const more = [...page.matchAll(/^\| ([@a-z]\S+) \| (\d\S+) \| [^|`]+ \|/gm)];
	assert.ok(more.length > 0);
	for (const [, library, version] of more) assert.equal(version, devDependencies[library], library);
});

test("docs/verifying.md shows what runs", async () => {
	const page = await readFile(join(docs, "verifying.md"), "utf8");
	const unindented = (text) => text.replaceAll(/^[ \t]+/gm, "");
	const shown = [...page.matchAll(/^`e2e\/clients\/([^`]+)`[^\n]*:\n\n```\w+\n(.*?)```/gms)];
	for (const [, file, snippet] of shown) {
		assert.ok(unindented(await readFile(join(folder, file), "utf8")).includes(unindented(snippet)), file);
	}
	const verifiers = (await all()).filter((client) => client.kind === "api").map((client) => client.name);
	assert.deepEqual(shown.map(([, file]) => file.split("/")[0]).toSorted(), verifiers.toSorted());
});
