// A real Caddy with Gatehouse on free loopback ports: the gateway, an app and a
// guarded API, each an origin of its own.
import { execFile, spawn } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

const root = resolve(import.meta.dirname, "../..");
export const caddy = process.env.GATEHOUSE_CADDY ?? resolve(root, "bin/caddy-dev");

export const alice = { username: "alice", password: "wonderland" };
export const aliceHash = "$2a$10$tYbwSz6TIYpVk0ARn7bcluh7jNcWF91FgIBIJGhLPzLgxSJUNSS/C";

export const webSecret = "a secret of the web client";
export const machineSecret = "a secret of the machine";

// The key of the clients that sign assertions; the gateway has the public half.
export const clientKey = generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicKey = `public_key <<PEM\n${clientKey.publicKey.export({ type: "spki", format: "pem" })}PEM`;

// signingKey is the private half as Web Crypto has it.
export const signingKey = () => crypto.subtle.importKey("pkcs8", clientKey.privateKey.export({ type: "pkcs8", format: "der" }), { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);

// How long a spent refresh token may be used again.
export const leeway = 3_000;

export const sha256 = (secret) => "sha256:" + createHash("sha256").update(secret).digest("base64url");

export async function freePlaces(count) {
	const servers = await Promise.all(Array.from({ length: count }, () => new Promise((done, fail) => {
		const server = createServer().once("error", fail);
		server.listen(0, "127.0.0.1", () => done(server));
	})));
	const places = servers.map((server) => `http://localhost:${server.address().port}/`);
	await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
	return places;
}

// The access log as docs/logging.md tells operators to filter it.
async function filteredLog() {
	const page = await readFile(resolve(root, "docs/logging.md"), "utf8");
	return page.match(/^\tlog \{$.*?^\t\}$/ms)[0];
}

async function config({ folder, issuer, app, api, callback, oauth = "" }) {
	const client = (id, lines) => `client ${id} {\n${lines.join("\n")}\n}`;
	const refresh = `refresh_token {\nleeway ${leeway}ms\n}`;
	return `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	storage file_system ${folder}/caddy
	oauth {
		issuer ${issuer}
		store bolt ${folder}/gatehouse.db
		login local {
			user ${alice.username} ${aliceHash} {
				name "Alice Liddell"
				email alice@example.com
			}
		}
		api ${api} {
			scopes orders:read orders:write
			allow_offline_access
			access_token_lifetime 5m
		}
		${client("spa", ["type spa", `redirect_uris ${app}auth0.html ${app}oidc.html`, `logout_uris ${app}auth0.html ${app}oidc.html`, `apis ${api}`, refresh])}
		${client("web", ["type web", `redirect_uris ${callback}`, `apis ${api}`, `secret_hash ${sha256(webSecret)}`, refresh])}
		${client("asks", ["type web", 'name "Orders back office"', `redirect_uris ${callback}`, `apis ${api}`, `secret_hash ${sha256(webSecret)}`, "consent always"])}
		${["express", "express-signs"].map((id) => client(id, ["type web", `redirect_uris ${callback}`, `logout_uris ${new URL(callback).origin}`, `apis ${api}`, refresh,
		id === "express" ? `secret_hash ${sha256(webSecret)}` : publicKey])).join("\n")}
		${client("signs", ["type machine", `apis ${api}`, publicKey])}
		${client("cli", ["type native", 'name "Orders in the terminal"', "redirect_uris http://127.0.0.1/callback", "device_code", `apis ${api}`, refresh])}
		${client("machine", ["type machine", `apis ${api}`, `secret_hash ${sha256(machineSecret)}`])}
		${oauth}
	}
}
${issuer.slice(0, -1)}, ${issuer.slice(0, -1).replace("localhost", "127.0.0.1")} {
${await filteredLog()}
	oauth_server
}
${app} {
	handle_path /node_modules/* {
		root * ${root}/e2e/node_modules
		file_server
	}
	root * ${root}/e2e/app
	file_server
}
${api} {
	bearer_auth {
		audience ${api}
		scope orders:read
		header X-User-Id sub
	}
	header Content-Type application/json
	respond \`{"user": "{http.auth.user.id}", "header": "{http.request.header.X-User-Id}"}\`
}
`.replaceAll(/^(http:\S+)\/ \{$/gm, "$1 {");
}

// start runs the gateway, with more options of oauth (or what writes them for these
// places) and what writes more blocks, and waits until it answers.
export async function start(oauth = "", blocks = () => "") {
	const [issuer, app, api, callback, site] = await freePlaces(5);
	const places = { issuer, app, api, callback: callback + "callback", site: site.slice(0, -1) };
	const more = oauth instanceof Function ? await oauth(places) : oauth;
	return serve(places, async (all) => await config({ ...all, oauth: more }) + blocks(places));
}

// startExample runs Caddyfile.example on free ports, with a shorter leeway and
// with what change makes of it.
export async function startExample(change = (text) => text) {
	const text = change(await readFile(resolve(root, "Caddyfile.example"), "utf8"));
	const [issuer, app, api, site] = await freePlaces(4);
	return serve({ issuer, app, api, site }, ({ folder }) => moved({ issuer, app, api, site }, text)
		.replace("persist_config off", `persist_config off\n\tadmin off\n\tstorage file_system ${folder}/caddy`)
		.replaceAll("leeway 10s", `leeway ${leeway}ms`)
		.replace(".demo/", folder + "/"));
}

// moved writes the example's ports as the ports of this run.
export function moved({ issuer, app, api, site }, text) {
	const port = (place) => new URL(place).port;
	return text.replaceAll(":8080", ":" + port(issuer)).replaceAll(":8081", ":" + port(app)).replaceAll(":8082", ":" + port(api)).replaceAll(":8084", ":" + port(site));
}

export async function serve(places, configure) {
	const folder = await mkdtemp(join(tmpdir(), "gatehouse-e2e-"));
	const file = join(folder, "Caddyfile");
	await writeFile(file, await configure({ folder, ...places }));
	const child = spawn(caddy, ["run", "--adapter", "caddyfile", "--config", file], {
		cwd: root,
		stdio: ["ignore", "ignore", "pipe"],
		env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
	});
	process.once("exit", () => child.kill("SIGKILL"));
	const gateway = new Gateway(child, { folder, ...places });
	await gateway.ready();
	return gateway;
}

class Gateway {
	#child;
	#ended;
	#log = "";
	#secrets = new Set([alice.password, webSecret, machineSecret, aliceHash]);

	constructor(child, places) {
		Object.assign(this, places);
		this.#child = child;
		this.#ended = new Promise((done) => child.once("close", done).once("error", done));
		child.stderr.setEncoding("utf8").on("data", (text) => { this.#log += text; });
	}

	async ready() {
		for (let i = 0; i < 200; i++) {
			if (this.#child.exitCode !== null || this.#child.pid === undefined) {
				throw new Error(`Caddy (${caddy}) ended at once:\n${this.#log}`);
			}
			try {
				if ((await fetch(this.issuer + ".well-known/jwks.json")).ok) return; // which takes the store
			} catch {
				// not listening yet
			}
			await pause(50);
		}
		await this.kill();
		throw new Error(`Caddy did not get ready:\n${this.#log}`);
	}

	// secret names a text that must never be logged: a token, a code.
	secret(...texts) {
		for (const text of texts) if (text) this.#secrets.add(text);
	}

	// operate runs a command of an operator, at a gateway with an admin API.
	async operate(...command) {
		return (await promisify(execFile)(caddy, ["oauth", ...command, "--address", this.admin])).stdout;
	}

	// said tells whether a line of the log is like this.
	said(line) { return line.test(this.#log); }

	async kill() {
		this.#child.kill("SIGTERM");
		await this.#ended;
	}

	// stop ends the gateway, and fails on secrets in its log, and on errors but those that a test brings about.
	async stop(expected) {
		await this.kill();
		await rm(this.folder, { recursive: true });
		const bad = this.#log.split("\n").filter((line) => /"level":"(error|panic|fatal)"|\t(\x1b\[\d+m)?(ERROR|PANIC|FATAL)|^panic:|^goroutine /.test(line) && !expected?.test(line));
		if (bad.length > 0) throw new Error(`The gateway logged errors:\n${bad.join("\n")}`);
		for (const line of this.#log.split("\n")) {
			const leak = [...this.#secrets].find((secret) => line.includes(secret)) ?? line.match(/rt1\.[\w-]{20}|eyJ[\w-]{20,}\./)?.[0];
			if (leak) throw new Error(`The gateway logged a secret (${leak.slice(0, 12)}…):\n${line.replaceAll(leak, "•••")}`);
		}
	}
}

// callAPI asks the guarded API and returns the status and body.
export async function callAPI(gateway, token) {
	const answer = await fetch(gateway.api + "orders", { headers: { Authorization: `Bearer ${token}` } });
	return { status: answer.status, body: answer.ok ? await answer.json() : undefined };
}

// refreshWith posts a refresh token as a public client does.
export async function refreshWith(gateway, token, client = "spa") {
	const answer = await fetch(gateway.issuer + "oauth/token", {
		method: "POST",
		body: new URLSearchParams({ grant_type: "refresh_token", client_id: client, refresh_token: token }),
	});
	return { status: answer.status, body: await answer.json() };
}
