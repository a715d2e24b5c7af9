// A real Keycloak, of e2e/providers/keycloak, in development mode and in memory.
import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { providerSecret } from "./provider.mjs";

const folder = resolve(import.meta.dirname, "../providers/keycloak");
const admin = { username: "admin", password: "an administrator" };

// startKeycloak runs it at a free place, with the gateway as a client, and waits until its realm answers.
export async function startKeycloak(place, gateway) {
	const installed = join(folder, "target/dependency");
	const home = join(installed, (await readdir(installed)).find((name) => name.startsWith("keycloak-")));
	const realm = await readFile(join(folder, "realm.json"), "utf8");
	await mkdir(join(home, "data/import"), { recursive: true });
	await writeFile(join(home, "data/import/company-realm.json"), realm.replaceAll("GATEWAY", gateway).replaceAll("SECRET", providerSecret));
	const { port } = new URL(place);
	const child = spawn("sh", [join(home, "bin/kc.sh"), "start-dev", "--db", "dev-mem", "--http-host", "127.0.0.1", "--http-port", port, "--import-realm"], {
		detached: true, stdio: ["ignore", "pipe", "pipe"],
		env: { ...process.env, KC_BOOTSTRAP_ADMIN_USERNAME: admin.username, KC_BOOTSTRAP_ADMIN_PASSWORD: admin.password },
	});
	const keycloak = new Keycloak(child, `http://127.0.0.1:${port}`);
	await keycloak.ready();
	return keycloak;
}

class Keycloak {
	#child;
	#ended;
	#origin;
	#log = "";
	#kill = () => { try { process.kill(-this.#child.pid, "SIGKILL"); } catch { /* it has ended */ } };

	constructor(child, origin) {
		this.#child = child;
		this.#origin = origin;
		this.#ended = new Promise((done) => child.once("close", done).once("error", done));
		for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => { this.#log += text; });
		process.once("exit", this.#kill);
	}

	get issuer() { return `${this.#origin}/realms/company`; }

	async ready() {
		for (let i = 0; i < 3000; i++) {
			if (this.#child.exitCode !== null || this.#child.pid === undefined) throw new Error(`Keycloak ended at once:\n${this.#log}`);
			if (await fetch(`${this.issuer}/.well-known/openid-configuration`).then((answer) => answer.ok, () => false)) return;
			await pause(100);
		}
		await this.stop();
		throw new Error(`Keycloak did not get ready:\n${this.#log}`);
	}

	// change changes what it knows of a person, as an administrator.
	async change(username, facts) {
		const user = await this.#person(username);
		await this.#administer(`users/${user.id}`, { method: "PUT", body: JSON.stringify({ ...user, ...facts }) });
	}

	// sessions are those of a person, as an administrator sees them, the oldest first.
	async sessions(username) {
		const { id } = await this.#person(username);
		const all = await (await this.#administer(`users/${id}/sessions`)).json();
		return all.sort((a, b) => a.start - b.start).map((session) => session.id);
	}

	// endSession and endAll are what an administrator has to sign people out.
	async endSession(session) { await this.#administer(`sessions/${session}`, { method: "DELETE" }); }
	async endAll(username) { await this.#administer(`users/${(await this.#person(username)).id}/logout`, { method: "POST" }); }

	async #person(username) {
		const [user] = await (await this.#administer(`users?exact=true&username=${username}`)).json();
		return user;
	}

	async #administer(path, init) {
		const { access_token: token } = await (await this.#ask("/realms/master/protocol/openid-connect/token", {
			method: "POST", body: new URLSearchParams({ grant_type: "password", client_id: "admin-cli", ...admin }),
		})).json();
		return this.#ask(`/admin/realms/company/${path}`, { ...init, headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" } });
	}

	async #ask(path, init) {
		const answer = await fetch(this.#origin + path, init);
		if (!answer.ok) throw new Error(`Keycloak says ${answer.status} ${await answer.text()}`);
		return answer;
	}

	async stop() {
		this.#kill();
		await this.#ended;
		process.off("exit", this.#kill);
	}
}
