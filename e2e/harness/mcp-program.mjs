// MCP clients in e2e/clients, each a program that is told what to do in lines of JSON:
//
//   {"url": "…", "tool": "…"}   call a tool of a server; without "tool", list them
//   {"back": "…"}               the browser has come back, to this address
//
// and answers each with {"tools": […]}, {"text": "…"} or {"error": "…"}; {"open": "…"} is an address that it would open in a browser.
// CLIENT_ID is the client that the operator has registered, or empty; CLIENT_DOCUMENT the URL of its own metadata, or empty.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { Person } from "./person.mjs";

const ways = ({ does }) => ["by registration", "pre-registered", ...(does.includes("by its metadata") ? ["by its metadata"] : [])];

// mcp does all that a client can, as each kind of client that it can be.
export async function mcp(client, gateway) {
	for (const way of ways(client)) {
		const program = new Program(client, gateway, {
			CLIENT_ID: way === "pre-registered" ? "agent" : "",
			CLIENT_DOCUMENT: way === "by its metadata" ? gateway.document : "",
		});
		try {
			await steps(program, gateway, (step) => client.does.includes(step));
			assert.equal(program.opened[0].searchParams.get("client_id") === gateway.document, way === "by its metadata", "its client_id");
		} catch (failure) {
			failure.message = `${way}: ${failure.message}\n${client.name} said:\n${program.said}`;
			throw failure;
		} finally {
			await program.stop();
		}
	}
}

async function steps(program, gateway, does) {
	const { mcp, short } = gateway;
	const asked = (name) => program.opened.at(-1).searchParams.get(name);

	assert.deepEqual((await program.ask({ url: mcp })).tools?.toSorted(), ["purge", "whoami"]);
	assert.equal(program.opened.length, 1, "sign-ins");
	assert.equal(asked("resource"), mcp);
	assert.equal(asked("code_challenge_method"), "S256");
	const { token, ...got } = JSON.parse((await program.ask({ url: mcp, tool: "whoami" })).text);
	assert.deepEqual(got, { user: "local|alice", authorization: null });

	// Another server of the same host: a token of its own, which has expired in the end.
	const first = JSON.parse((await program.ask({ url: short, tool: "whoami" })).text);
	assert.equal(asked("resource"), short);
	assert.notEqual(first.token, token);

	let signIns = program.opened.length;
	const purged = await program.ask({ url: mcp, tool: "purge" });
	if (does("step up") || does("all scopes at once")) {
		assert.equal(JSON.parse(purged.text).user, "local|alice");
		assert.equal(program.opened.length - signIns, does("step up") ? 1 : 0, "sign-ins for more scope");
		for (const scope of ["mcp:tools", "mcp:admin"]) assert.ok(asked("scope").split(" ").includes(scope), asked("scope"));
	} else {
		assert.ok(purged.error, "it does more than it says: step up");
	}

	signIns = program.opened.length;
	let after = first;
	for (let i = 0; i < 100 && after.token === first.token; i++) {
		await pause(200);
		after = JSON.parse((await program.ask({ url: short, tool: "whoami" })).text);
	}
	assert.notEqual(after.token, first.token, "another token");
	assert.equal(program.opened.length - signIns, does("refresh") ? 0 : 1, "sign-ins after expiry");

	signIns = program.opened.length;
	await gateway.revoke();
	assert.equal(JSON.parse((await program.ask({ url: mcp, tool: "whoami" })).text).user, "local|alice");
	assert.equal(program.opened.length, signIns + 1, "sign-ins after revocation");
}

export class Program {
	#child;
	#lines;
	opened = [];
	said = "";

	constructor(client, gateway, env) {
		const [command, ...args] = client.start;
		this.gateway = gateway;
		this.#child = spawn(command, args, { cwd: client.place, env: { ...process.env, HOME: mkdtempSync(join(gateway.folder, client.name)), ...env }, detached: true, stdio: ["pipe", "pipe", "pipe"] });
		this.#child.once("error", (failure) => { this.said += failure.message; });
		this.#child.stderr.setEncoding("utf8").on("data", (text) => { this.said += text; });
		this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
		process.once("exit", this.#kill);
	}

	#kill = () => { try { process.kill(-this.#child.pid, "SIGKILL"); } catch { /* it has ended */ } };

	// ask says a line and returns the answer. Where the program opens a browser, alice signs in.
	async ask(line) {
		for (;;) {
			this.#child.stdin.write(JSON.stringify(line) + "\n");
			const { value, done } = await this.#lines.next();
			if (done) throw new Error(`it ended at ${JSON.stringify(line)}`);
			const answer = JSON.parse(value);
			if (!answer.open) return answer;
			this.opened.push(new URL(answer.open));
			if (this.opened.length > 10) throw new Error("it asks to sign in again and again");
			const back = await new Person().authorize(answer.open, this.opened.at(-1).searchParams.get("redirect_uri"));
			this.gateway.secret(back.searchParams.get("code"));
			line = { back: back.href };
		}
	}

	async stop() {
		this.#kill();
		process.off("exit", this.#kill);
	}
}
