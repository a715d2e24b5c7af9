// An MCP server and client of the protocol's own SDK, unchanged, with the gateway between them.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { alice, aliceHash, freePlaces, serve } from "./gateway.mjs";
import { Person } from "./person.mjs";

// startServer runs an MCP server that knows nothing of tokens, and one tool that says what it gets.
async function startServer(port) {
	const server = createServer(async (request, response) => {
		const mcp = new McpServer({ name: "orders", version: "1.0.0" });
		mcp.registerTool("whoami", { description: "Says who calls." }, () => ({
			content: [{ type: "text", text: JSON.stringify({ user: request.headers["x-user-id"], authorization: request.headers.authorization ?? null }) }],
		}));
		const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
		response.on("close", () => mcp.close());
		await mcp.connect(transport);
		await transport.handleRequest(request, response);
	});
	await new Promise((done) => server.listen(port, "127.0.0.1", done));
	return server;
}

// startMCP runs the gateway of the README's MCP example in front of such a server.
export async function startMCP() {
	const [issuer, mcp, upstream] = (await freePlaces(3)).map((place) => place.slice(0, -1));
	const readme = await readFile(resolve(import.meta.dirname, "../../README.md"), "utf8");
	const example = readme.match(/<!-- mcp -->\s*```caddyfile\n(.*?)```/s)[1];
	const server = await startServer(new URL(upstream).port);
	const gateway = await serve({ issuer: issuer + "/", mcp: mcp + "/mcp" }, ({ folder }) => example
		.replaceAll("https://auth.example.com", issuer).replaceAll("https://mcp.example.com", mcp)
		.replace("\nauth.example.com", "\n" + issuer).replace("\nmcp.example.com", "\n" + mcp)
		.replace("localhost:8000", upstream.replace("http://", ""))
		.replace(/login oidc company .*?\n\t\t\}/s, `login local {\nuser ${alice.username} ${aliceHash}\n}`)
		.replace("scopes mcp:tools\n\t\t\tallow_offline_access", "scopes mcp:tools mcp:admin\n\t\t\tallow_offline_access")
		.replace("\tclient_registration", `\tclient agent {\ntype native\nredirect_uris http://127.0.0.1/callback\napis ${mcp}/mcp\nrefresh_token {\nalways\n}\n}\n\tclient_registration`)
		.replace("\n\treverse_proxy", `\n\tbearer_auth /mcp/admin {\naudience ${mcp}/mcp\nscope mcp:tools mcp:admin\nmcp\n}\n\treverse_proxy`)
		.replace("\n\toauth {", `\n\tadmin off\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n\tstorage file_system ${folder}/caddy\n\toauth {\n\t\tstore bolt ${folder}/gatehouse.db`));
	const stop = gateway.stop.bind(gateway);
	gateway.stop = async () => {
		server.closeAllConnections();
		server.close();
		await stop();
	};
	return gateway;
}

// Agent is a program with the SDK's client. Where that wants a browser, a person signs in.
export class Agent {
	redirectUrl = "http://127.0.0.1:41337/callback";
	signIns = [];
	#client;
	#verifier;
	held;

	constructor(gateway, { client, name = "Test agent" } = {}) {
		this.gateway = gateway;
		this.#client = client;
		this.clientMetadata = { client_name: name, redirect_uris: [this.redirectUrl], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none" };
	}

	clientInformation() { return this.#client; }
	saveClientInformation(client) { this.#client = client; }
	tokens() { return this.held; }
	saveTokens(tokens) {
		this.gateway.secret(tokens.access_token, tokens.refresh_token);
		this.held = tokens;
	}
	saveCodeVerifier(verifier) { this.#verifier = verifier; }
	codeVerifier() { return this.#verifier; }
	redirectToAuthorization(url) { this.signIns.push(url); }
	invalidateCredentials(what) {
		if (what === "all" || what === "tokens") this.held = undefined;
		if (what === "all" || what === "client") this.#client = undefined;
	}

	// with runs something with a connected client, and signs in as often as that asks for it.
	async with(url, run) {
		for (let tries = 0; tries < 3; tries++) {
			const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: this });
			const client = new Client({ name: "agent", version: "1.0.0" });
			try {
				await client.connect(transport);
				return await run(client);
			} catch (err) {
				if (!(err instanceof UnauthorizedError)) throw err;
				const back = await new Person().authorize(this.signIns.at(-1), this.redirectUrl);
				this.gateway.secret(back.searchParams.get("code"));
				await transport.finishAuth(back.searchParams.get("code"));
			} finally {
				await client.close();
			}
		}
		throw new Error("it asks to sign in again and again");
	}
}
