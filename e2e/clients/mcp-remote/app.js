// mcp-remote, the bridge for programs that know no servers but local ones: it is started for each server, and spoken to as those do.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const write = (answer) => console.log(JSON.stringify(answer));

class Bridge {
	#child;
	#answers = new Map();
	#id = 0;

	constructor(url) {
		const client = process.env.CLIENT_ID ? ["--static-oauth-client-info", JSON.stringify({ client_id: process.env.CLIENT_ID })] : [];
		this.#child = spawn("node", ["node_modules/mcp-remote/dist/proxy.js", url, ...client], { env: { ...process.env, BROWSER: "true" } });
		this.#child.once("close", () => {
			delete bridges[url];
			for (const done of this.#answers.values()) done({ error: { message: "it has ended" } });
		});
		createInterface({ input: this.#child.stdout }).on("line", (line) => {
			const message = JSON.parse(line);
			this.#answers.get(message.id)?.(message);
		});
		let said = "";
		this.#child.stderr.pipe(process.stderr);
		this.#child.stderr.setEncoding("utf8").on("data", (text) => {
			said += text;
			const asked = said.match(/authorize this client by visiting:\n(\S+)\n/);
			if (!asked) return;
			said = "";
			this.#signIn(asked[1]);
		});
		this.ready = this.#begin();
	}

	async #begin() {
		const hello = await this.#request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "mcp-remote", version: "1.0.0" } });
		this.#say({ method: "notifications/initialized" });
		return hello;
	}

	async #signIn(url) {
		write({ open: url });
		await fetch((await read()).back).catch(() => {}); // it may have ended its server before it has answered
	}

	#say(message) { this.#child.stdin.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n"); }

	#request(method, params) {
		const id = ++this.#id;
		const answer = new Promise((done) => this.#answers.set(id, done));
		this.#say({ id, method, params });
		return answer;
	}

	async run(tool) {
		const { error: refused } = await this.ready;
		if (refused) return { error: refused.message };
		const { result, error } = await this.#request(...(tool ? ["tools/call", { name: tool }] : ["tools/list"]));
		if (error) return { error: error.message };
		return tool ? { text: result.content[0].text } : { tools: result.tools.map(({ name }) => name) };
	}
}

const bridges = {};

for (;;) {
	const { url, tool } = await read();
	write(await (bridges[url] ??= new Bridge(url)).run(tool));
}
