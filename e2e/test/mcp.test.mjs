// The SDK of the Model Context Protocol, its server and its client unchanged, through a gateway as
// the README sets one up.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { startFor } from "../harness/clients-gateway.mjs";
import { all, install } from "../harness/clients.mjs";
import { drive } from "../harness/drive.mjs";
import { Agent, startMCP } from "../harness/mcp.mjs";

let gateway;
before(async () => { gateway = await startMCP(); });
after(() => gateway?.stop());

const called = async (client, name) => JSON.parse((await client.callTool({ name })).content[0].text);
const whoami = (client) => called(client, "whoami");
const purge = (client) => called(client, "purge");
const tools = async (client) => (await client.listTools()).tools.map((tool) => tool.name);

for (const [way, client] of [["by registration", undefined], ["pre-registered", { client_id: "agent" }]]) {
	test(`a client ${way}: sign in, list tools, call one, refresh, revoked at once`, async () => {
		const agent = new Agent(gateway, { client });
		assert.deepEqual(await agent.with(gateway.mcp, tools), ["whoami", "purge"]);
		assert.equal(agent.signIns.length, 1);
		const asked = agent.signIns[0].searchParams;
		assert.equal(asked.get("resource"), gateway.mcp);
		assert.match(asked.get("scope"), /mcp:tools/);
		if (!client) assert.ok(agent.clientInformation().client_id.startsWith("rc1.") && agent.clientInformation().client_id.length < 120);
		const { token, ...got } = await agent.with(gateway.mcp, whoami);
		assert.deepEqual(got, { user: "local|alice", authorization: null });
		assert.ok(token);

		// A token that is good no more: the SDK refreshes, and nobody is asked.
		const before = agent.held;
		agent.held = { ...before, access_token: before.access_token.replace(/.{8}$/, "AAAAAAAA") };
		assert.equal((await agent.with(gateway.mcp, whoami)).user, "local|alice");
		assert.notEqual(agent.held.refresh_token, before.refresh_token);
		assert.equal(agent.signIns.length, 1);

		// More scope than it has: the challenge names all of it. This version of the SDK refreshes then, which brings no
		// more, and gives up.
		await assert.rejects(agent.with(gateway.mcp, purge), /403 after trying upscoping/);
		assert.equal(agent.signIns.length, 1);

		// Revoked: the very next call is refused, and the refresh token as well.
		const { access_token, refresh_token } = agent.held;
		const { client_id } = agent.clientInformation();
		const revoked = await fetch(gateway.issuer + "oauth/revoke", { method: "POST", body: new URLSearchParams({ client_id, token: refresh_token }) });
		assert.equal(revoked.status, 200);
		const refused = await fetch(gateway.mcp, { method: "POST", headers: { authorization: `Bearer ${access_token}` } });
		assert.equal(refused.status, 401);
		assert.equal((await agent.with(gateway.mcp, whoami)).user, "local|alice");
		assert.equal(agent.signIns.length, 2);
	});
}

// Three of the MCP clients in e2e/clients; `make clients` runs all. They wait for tokens to expire, so they run at once.
describe("programs", { concurrency: true }, async () => {
	for (const client of await all(["mcp-go-sdk", "mcp-remote", "mcp-typescript"])) {
		test(`${client.name}: ${client.does.join(", ")}`, async () => {
			await install(client);
			const own = await startFor([client]);
			try {
				await drive(client, own);
			} finally {
				await own.stop();
			}
		});
	}
});

test("docs/mcp.md has a row for each MCP client, with its version and what it does", async () => {
	const page = await readFile(resolve(import.meta.dirname, "../../docs/mcp.md"), "utf8");
	const rows = (await all()).filter(({ kind }) => kind === "mcp").map((client) => `| [${client.name}](${client.page}) | ${client.version} | ${client.does.join(", ")} |`);
	assert.deepEqual(page.match(/^\| \[.*$/gm)?.toSorted(), rows.toSorted());
});
