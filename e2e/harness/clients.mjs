// The programs in e2e/clients: each in a folder of its own, with what it needs pinned there. client.json says how to run one:
//
//   library   what it shows, as its registry calls it; its version is read from the file `pinned`
//   page      where its authors show it
//   kind      site: signs people in on a server; api: verifies access tokens by itself; spa: runs in the browser; mcp: calls the tools of
//             MCP servers (harness/mcp-program.mjs)
//   install   a command that installs what it needs, run in its folder
//   needs     further commands, and files of the system, that have to be there
//   start     a command that serves it at PORT
//   paths     where a site does not have /login, /user, /orders, /refresh, /logout and /callback
//   does      what must work, in words of e2e/harness/drive.mjs
//   forms     true where a person presses buttons of its own pages to sign in and out
//   https     true where it talks to issuers by https only
//   signing   RS256 where it fails at a key of another kind, so that the whole gateway signs with that
//   profile   auth0 where its API wants tokens as Auth0 signs them
//   gateway   further lines of its client block in the gateway
import { execFile, spawn } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
export const folder = resolve(import.meta.dirname, "../clients");

// all reads every client, or those that are named.
export async function all(names = []) {
	const entries = await readdir(folder, { withFileTypes: true });
	const there = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
	for (const name of names) if (!there.includes(name)) throw new Error(`e2e/clients has no ${name}; it has: ${there.join(" ")}`);
	return Promise.all((names.length > 0 ? names : there).map(read));
}

async function read(name) {
	const place = join(folder, name);
	const client = JSON.parse(await readFile(join(place, "client.json"), "utf8"));
	const pins = await readFile(join(place, client.pinned), "utf8");
	const found = pins.match(new RegExp(client.library.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&") + String.raw`["'<\s=:@v]\D*?(\d[\w.+-]*)`));
	if (!found) throw new Error(`${name}: ${client.pinned} does not pin ${client.library}`);
	return { name, place, version: found[1], paths: {}, ...client };
}

// missing tells which program a client needs and this machine has not.
export async function missing(client) {
	const commands = [client.install, client.start].filter(Boolean).map(([command]) => command).filter((command) => !command.includes("/"));
	for (const need of [...commands, ...(client.needs ?? [])]) {
		const there = await run("sh", ["-c", '[ -e "$0" ] || command -v "$0"', need]).then(() => true, () => false);
		if (!there) return need;
	}
	return undefined;
}

// install makes a client ready to start. What npm or Maven installed from this lockfile or POM before is left alone.
export async function install(client) {
	if (!client.install || await installed(client)) return;
	const [command, ...args] = client.install;
	try {
		await run(command, args, { cwd: client.place, maxBuffer: 1 << 26 });
	} catch (failure) {
		throw new Error(`installing ${client.name}: ${failure.stderr + failure.stdout || failure.message}`);
	}
}

async function installed(client) {
	const at = async (name) => (await stat(join(client.place, name)).catch(() => undefined))?.mtimeMs ?? 0;
	const [made, from] = { npm: ["node_modules/.package-lock.json", "package-lock.json"], mvn: ["target/dependency", "pom.xml"] }[client.install[0]] ?? [];
	return made !== undefined && await at(made) >= Math.max(1, await at(from));
}

// start runs a client's program until it serves; stop ends it.
export async function start(client, env) {
	const [command, ...args] = client.start;
	const child = spawn(command, args, { cwd: client.place, env: { ...process.env, ...env }, detached: true, stdio: ["ignore", "pipe", "pipe"] });
	let said = "";
	for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => { said += text; });
	const ended = new Promise((done) => child.once("close", done).once("error", (failure) => { said += failure.message; done(); }));
	const kill = () => { try { process.kill(-child.pid, "SIGKILL"); } catch { /* it has ended */ } };
	process.once("exit", kill);
	const program = { said: () => said, stop: async () => { kill(); await ended; process.off("exit", kill); } };
	for (let i = 0; i < 1800; i++) {
		if (child.exitCode !== null || child.pid === undefined) throw new Error(`${client.name} ended at once:\n${said}`);
		if (await fetch(client.home, { redirect: "manual" }).then(() => true, () => false)) return program;
		await pause(100);
	}
	await program.stop();
	throw new Error(`${client.name} did not get ready:\n${said}`);
}
