// The SDK of the Model Context Protocol, its server and its client unchanged, through a gateway as
// the README sets one up.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Agent, startMCP } from "../harness/mcp.mjs";

let gateway;
before(async () => { gateway = await startMCP(); });
after(() => gateway?.stop());

const whoami = async (client) => JSON.parse((await client.callTool({ name: "whoami" })).content[0].text);
const tools = async (client) => (await client.listTools()).tools.map((tool) => tool.name);

for (const [way, client] of [["by registration", undefined], ["pre-registered", { client_id: "agent" }]]) {
	test(`a client ${way}: sign in, list tools, call one, refresh, step up, revoked at once`, async () => {
		const agent = new Agent(gateway, { client });
		assert.deepEqual(await agent.with(gateway.mcp, tools), ["whoami"]);
		assert.equal(agent.signIns.length, 1);
		const asked = agent.signIns[0].searchParams;
		assert.equal(asked.get("resource"), gateway.mcp);
		assert.match(asked.get("scope"), /mcp:tools/);
		if (!client) assert.ok(agent.clientInformation().client_id.startsWith("rc1.") && agent.clientInformation().client_id.length < 120);
		assert.deepEqual(await agent.with(gateway.mcp, whoami), { user: "local|alice", authorization: null });

		// A token that is good no more: the SDK refreshes, and nobody is asked.
		const before = agent.held;
		agent.held = { ...before, access_token: before.access_token.replace(/.{8}$/, "AAAAAAAA") };
		assert.equal((await agent.with(gateway.mcp, whoami)).user, "local|alice");
		assert.notEqual(agent.held.refresh_token, before.refresh_token);
		assert.equal(agent.signIns.length, 1);

		// More scope than it has: the challenge names all of it. This SDK refreshes then, which brings no
		// more, and gives up; signed out, it asks the person for all of it.
		await assert.rejects(agent.with(gateway.mcp + "/admin", whoami), /403 after trying upscoping/);
		agent.invalidateCredentials("tokens");
		assert.equal((await agent.with(gateway.mcp + "/admin", whoami)).user, "local|alice");
		assert.equal(agent.signIns.length, 2);
		assert.match(agent.signIns[1].searchParams.get("scope"), /mcp:tools mcp:admin/);

		// Revoked: the very next call is refused, and the refresh token as well.
		const { access_token, refresh_token } = agent.held;
		const { client_id } = agent.clientInformation();
		const revoked = await fetch(gateway.issuer + "oauth/revoke", { method: "POST", body: new URLSearchParams({ client_id, token: refresh_token }) });
		assert.equal(revoked.status, 200);
		const refused = await fetch(gateway.mcp, { method: "POST", headers: { authorization: `Bearer ${access_token}` } });
		assert.equal(refused.status, 401);
		assert.equal((await agent.with(gateway.mcp, whoami)).user, "local|alice");
		assert.equal(agent.signIns.length, 3);
	});
}
