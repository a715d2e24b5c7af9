// examples/cli, built and run as a person does.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const root = resolve(import.meta.dirname, "../..");

// build compiles the example into a folder of its own.
export async function build() {
	const folder = await mkdtemp(join(tmpdir(), "gatehouse-cli-"));
	await promisify(execFile)("go", ["build", "-o", join(folder, "cli"), "./examples/cli"], { cwd: root });
	return new CLI(folder);
}

class CLI {
	constructor(folder) { this.folder = folder; }

	use(gateway, name) {
		this.file = join(this.folder, name + ".json");
		this.flags = ["--no-browser", "--issuer", gateway.issuer, "--api", gateway.api, "--client", "cli", "--session", this.file];
	}

	// run starts a command; `ended` tells how it went.
	run(...command) {
		const child = spawn(join(this.folder, "cli"), [...command, ...this.flags]);
		const kill = () => child.kill("SIGKILL");
		process.once("exit", kill);
		child.once("close", () => process.off("exit", kill));
		const run = { said: "", printed: "" };
		child.stdout.setEncoding("utf8").on("data", (text) => { run.printed += text; });
		child.stderr.setEncoding("utf8").on("data", (text) => { run.said += text; });
		run.ended = new Promise((done, fail) => child.once("error", fail).once("close", (code) => done(code)));
		// says waits until the program has said something.
		run.says = (pattern) => new Promise((done, fail) => {
			const look = () => { const found = run.said.match(pattern); if (found) done(found); };
			child.stderr.on("data", look);
			child.once("close", () => fail(new Error(`it ended without ${pattern}: ${run.said}`)));
			look();
		});
		return run;
	}

	async session() { return JSON.parse(await readFile(this.file, "utf8")); }

	// age makes the access token look expired, so that the next call refreshes.
	async age() {
		const session = await this.session();
		await writeFile(this.file, JSON.stringify({ ...session, expiry: "2020-01-01T00:00:00Z" }));
		return session;
	}

	async remove() { await rm(this.folder, { recursive: true }); }
}
