// An MCP server and client of the protocol's own SDK, unchanged, with the gateway between them.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { startDocuments } from "./documents.mjs";
import { alice, aliceHash, freePlaces, serve } from "./gateway.mjs";
import { Person } from "./person.mjs";

// startServer runs an MCP server that knows nothing of tokens, with tools that say what it gets. It speaks
// the versions of the protocol since 2024-11-05.
async function startServer(port) {
	const handler = createMcpHandler(({ requestInfo }) => {
		const mcp = new McpServer({ name: "orders", version: "1.0.0" });
		const header = (name) => requestInfo?.headers.get(name) ?? null;
		const said = () => ({ content: [{ type: "text", text: JSON.stringify({ user: header("x-user-id"), token: header("x-token-id"), authorization: header("authorization") }) }] });
		mcp.registerTool("whoami", { description: "Says who calls." }, said);
		mcp.registerTool("purge", { description: "Wants more scope." }, said);
		return mcp;
	});
	const server = createServer(toNodeHandler(handler));
	await new Promise((done) => server.listen(port, "127.0.0.1", done));
	return server;
}

// startMCP runs the gateway of the README's MCP example in front of such a server. With two, there is another
// server at /short/mcp of the same host, whose tokens live for ten seconds, and programs may be known by the
// metadata at gateway.document.
export async function startMCP({ two = false } = {}) {
	const [issuer, mcp, upstream, admin] = (await freePlaces(4)).map((place) => place.slice(0, -1));
	const readme = await readFile(resolve(import.meta.dirname, "../../README.md"), "utf8");
	const example = readme.match(/<!-- mcp -->\s*```caddyfile\n(.*?)```/s)[1];
	const server = await startServer(new URL(upstream).port);
	const documents = two ? await startDocuments() : undefined;
	const places = { issuer: issuer + "/", mcp: mcp + "/mcp", ...(two && { short: mcp + "/short/mcp" }), admin };
	const gateway = await serve(places, ({ folder }) => configured({ issuer, mcp, upstream, admin, documents, folder }, example));
	gateway.document = documents?.url;
	const stop = gateway.stop.bind(gateway);
	gateway.stop = async () => {
		server.closeAllConnections();
		server.close();
		await stop();
		await documents?.stop();
	};
	// revoke ends all that alice has let in, as an operator does.
	gateway.revoke = async () => {
		const answer = await fetch(admin + "/oauth/grants?subject=local|alice", { method: "DELETE", headers: { origin: admin } });
		if (!answer.ok) throw new Error(`ending grants: ${answer.status} ${await answer.text()}`);
	};
	return gateway;
}

// configured is the example at these places, with a person, a client of the operator's, and more scope for one of the tools.
function configured({ issuer, mcp, upstream, admin, documents, folder }, example) {
	const two = documents !== undefined;
	const api = (url, lifetime = "") => `api ${url} {\n\t\t\tscopes mcp:tools mcp:admin\n\t\t\tallow_offline_access\n${lifetime}\t\t}`;
	const apis = two ? `${mcp}/mcp ${mcp}/short/mcp` : `${mcp}/mcp`;
	const byDocument = two ? `client_documents {\nallow ${documents.origin}/\nallow_private\nca ${documents.ca}\napis ${apis}\nscopes mcp:tools\n}\n` : "";
	const text = example
		.replaceAll("https://auth.example.com", issuer).replaceAll("https://mcp.example.com", mcp)
		.replace("\nauth.example.com", "\n" + issuer).replace("\nmcp.example.com", "\n" + mcp)
		.replace("localhost:8000", upstream.replace("http://", ""))
		.replace(/login oidc company .*?\n\t\t\}/s, `login local {\nuser ${alice.username} ${aliceHash}\n}`)
		.replace(/api \S+ \{.*?\n\t\t\}/s, api(mcp + "/mcp") + (two ? "\n\t\t" + api(mcp + "/short/mcp", "access_token_lifetime 10s\n") : ""))
		.replace(/\tapis .*/, "\tapis " + apis)
		.replace("\tclient_registration", `\tclient agent {\ntype native\nredirect_uris http://127.0.0.1/callback http://127.0.0.1/oauth/callback http://localhost/callback http://localhost/oauth/callback\napis ${apis}\ndefault_scopes mcp:tools\nrefresh_token {\nalways\n}\n}\n${byDocument}\tclient_registration`)
		.replace("header X-User-Id sub", "header X-User-Id sub\nheader X-Token-Id jti")
		.replace("\n\toauth {", `\n\tadmin ${admin.replace("http://", "")}\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n\tstorage file_system ${folder}/caddy\n\toauth {\n\t\tstore bolt ${folder}/gatehouse.db`);
	// Of two servers of one host each has a guard of its own, for its paths. The README's guard is for all of its host.
	const guard = text.match(/\n\tbearer_auth \{.*?\n\t\}/s)[0];
	const guards = (two ? ["/mcp", "/short/mcp"] : ["/mcp"]).flatMap((path, i) => {
		const of = (name) => guard.replace("bearer_auth", `bearer_auth ${name}`).replace(`${mcp}/mcp`, mcp + path);
		const purge = `expression {http.request.body}.contains('"purge"')`;
		return [
			`\n\t@purge${i} {\npath ${path} ${path}/*\n${purge}\n}`, of(`@purge${i}`).replace("scope mcp:tools", "scope mcp:tools mcp:admin"),
			...(two ? [`\n\t@server${i} {\npath ${path} ${path}/*\nnot ${purge}\n}`, of(`@server${i}`)] : [guard]),
		];
	});
	return text.replace(guard, guards.join(""));
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
