// The protocol's own SDK for TypeScript, version 2, as its guide to OAuth shows it: a provider that keeps tokens in memory.
import { createInterface } from "node:readline";
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const write = (answer) => console.log(JSON.stringify(answer));

class Provider {
	redirectUrl = "http://127.0.0.1:41337/callback";
	clientMetadata = { client_name: "TypeScript SDK", redirect_uris: [this.redirectUrl], grant_types: ["authorization_code", "refresh_token"], token_endpoint_auth_method: "none" };
	clientMetadataUrl = process.env.CLIENT_DOCUMENT || undefined;
	#client = process.env.CLIENT_ID ? { client_id: process.env.CLIENT_ID } : undefined;
	#tokens;
	#verifier;

	clientInformation() { return this.#client; }
	saveClientInformation(client) { this.#client = client; }
	tokens() { return this.#tokens; }
	saveTokens(tokens) { this.#tokens = tokens; }
	saveCodeVerifier(verifier) { this.#verifier = verifier; }
	codeVerifier() { return this.#verifier; }
	invalidateCredentials(what) { if (what === "all" || what === "tokens") this.#tokens = undefined; }
	redirectToAuthorization(url) { write({ open: url }); }
}

const providers = {}; // one for each server

async function run(url, tool) {
	const authProvider = (providers[url] ??= new Provider());
	for (;;) {
		const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
		const client = new Client({ name: "mcp-typescript", version: "1.0.0" });
		try {
			await client.connect(transport);
			if (!tool) return { tools: (await client.listTools()).tools.map(({ name }) => name) };
			return { text: (await client.callTool({ name: tool })).content[0].text };
		} catch (failure) {
			if (!(failure instanceof UnauthorizedError)) return { error: String(failure) };
			const { back } = await read();
			await transport.finishAuth(new URL(back).searchParams);
		} finally {
			await client.close();
		}
	}
}

for (;;) {
	const { url, tool } = await read();
	write(await run(url, tool));
}
