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
	await writeFile(join(home, "data/import/company-realm.json"), realm.replaceAll("GATEWAY", gateway).replace("SECRET", providerSecret));
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
		const { access_token: token } = await this.#json("/realms/master/protocol/openid-connect/token", {
			method: "POST", body: new URLSearchParams({ grant_type: "password", client_id: "admin-cli", ...admin }),
		});
		const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
		const [user] = await this.#json(`/admin/realms/company/users?exact=true&username=${username}`, { headers });
		const answer = await fetch(`${this.#origin}/admin/realms/company/users/${user.id}`, { method: "PUT", headers, body: JSON.stringify({ ...user, ...facts }) });
		if (!answer.ok) throw new Error(`Keycloak says ${answer.status} ${await answer.text()}`);
	}

	async #json(path, init) {
		const answer = await fetch(this.#origin + path, init);
		if (!answer.ok) throw new Error(`Keycloak says ${answer.status} ${await answer.text()}`);
		return answer.json();
	}

	async stop() {
		this.#kill();
		await this.#ended;
		process.off("exit", this.#kill);
	}
}
