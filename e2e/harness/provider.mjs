// A whole OpenID provider of others, at which people of a gateway sign in: node-oidc-provider, with a login page of one field.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import OIDC, { interactionPolicy } from "oidc-provider";

const { Prompt, base } = interactionPolicy;

export const providerSecret = "a secret of the gateway at the provider";

// signingKey is a key pair that ID tokens are signed with.
function signingKey() {
	const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
	return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg: "RS256", use: "sig" };
}

// startProvider runs the provider at 127.0.0.1, another site than the gateway's, for these people: name to claims.
export async function startProvider(people) {
	const provider = new Provider(people);
	await provider.up();
	return provider;
}

class Provider {
	people;
	asked = []; // the authorization requests, as parameters
	again = []; // what gateways asked again about people: granted or not
	latency = 0; // of its token endpoint, in milliseconds
	held = 0; // how many wait for that
	dies = false; // whether its token endpoint hangs up
	missed = 0; // how often it has
	#client;
	#server;
	#port = 0;
	#oidc;
	#answer;

	constructor(people) { this.people = new Map(Object.entries(people)); }

	get issuer() { return `http://127.0.0.1:${this.#port}`; }

	// register makes a gateway its client.
	register(callback, more) {
		this.#client = {
			client_id: "gatehouse", client_secret: providerSecret, redirect_uris: [callback],
			grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], ...more,
		};
		this.changeKeys();
	}

	// changeKeys replaces the keys without a word. What it remembers of people stays.
	changeKeys() {
		this.#oidc = new OIDC(this.issuer, this.#configuration());
		this.#answer = this.#oidc.callback();
		this.#oidc.on("backchannel.error", (_, error) => console.error(`the sign-out was not taken: ${error.message}`));
		for (const outcome of ["success", "error"]) {
			this.#oidc.on(`grant.${outcome}`, ({ oidc }) => {
				if (oidc.params.grant_type === "refresh_token") this.again.push(outcome);
			});
		}
	}

	// remove is what happens when somebody leaves the company.
	remove(name) { this.people.delete(name); }

	// up listens, at the port of before.
	async up() {
		this.#server = createServer((request, response) => this.#serve(request, response)).listen(this.#port, "127.0.0.1");
		await once(this.#server, "listening");
		this.#port = this.#server.address().port;
	}

	// down refuses connections.
	async down() {
		const closed = once(this.#server, "close");
		this.#server.close();
		this.#server.closeAllConnections();
		await closed;
	}

	async #serve(request, response) {
		const at = new URL(request.url, this.issuer);
		if (at.pathname.startsWith("/interaction/")) return this.#interact(request, response);
		if (at.pathname === "/auth") this.asked.push(at.searchParams);
		if (at.pathname === "/token") {
			if (this.dies) {
				this.missed++;
				return response.destroy();
			}
			this.held++;
			await pause(this.latency);
			this.held--;
		}
		this.#answer(request, response);
	}

	// #interact is its login page. Who has a session is taken as they are, unless they shall choose.
	async #interact(request, response) {
		const { prompt, params, session } = await this.#oidc.interactionDetails(request, response);
		if (request.method === "GET") return response.setHeader("Content-Type", "text/html").end(page(prompt.name, session?.accountId, params.login_hint));
		const form = await readForm(request);
		const name = form.get("name");
		if (form.get("action") === "cancel") {
			return this.#oidc.interactionFinished(request, response, { error: "access_denied", error_description: "The person said no." });
		}
		if (!this.people.has(name)) return response.writeHead(403).end("Nobody of that name");
		return this.#oidc.interactionFinished(request, response, { select_account: {}, login: { accountId: name, amr: ["pwd"] } });
	}

	#configuration() {
		const policy = base();
		policy.add(new Prompt({ name: "select_account", requestable: true }), 0);
		policy.remove("consent");
		return {
			jwks: { keys: [signingKey()] },
			clients: [this.#client],
			cookies: { keys: ["a key of its cookies"] },
			claims: { openid: ["sub"], profile: ["name", "nickname"], email: ["email", "email_verified"], groups: ["groups"] },
			scopes: ["openid", "profile", "email", "groups", "offline_access"],
			conformIdTokenClaims: true,
			fetch: (url, { dispatcher: _, ...options }) => fetch(url, options), // its own asks nobody at a private address
			features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
			interactions: { policy, url: (_, interaction) => `/interaction/${interaction.uid}` },
			pkce: { required: () => true },
			ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 3600, RefreshToken: 86400, Session: 86400 },
			rotateRefreshToken: true,
			expiresWithSession: () => false,
			issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
			findAccount: (_, name) => this.people.has(name) ? { accountId: name, claims: () => ({ sub: name, ...this.people.get(name) }) } : undefined,
			loadExistingGrant: async (ctx) => {
				const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
				grant.addOIDCScope("openid profile email groups offline_access");
				await grant.save();
				return grant;
			},
		};
	}
}

async function readForm(request) {
	let body = "";
	for await (const part of request.setEncoding("utf8")) body += part;
	return new URLSearchParams(body);
}

const page = (prompt, name, hint = "") => `<!doctype html><title>The provider</title><h1>${prompt === "select_account" ? "Which account?" : "Sign in at the provider"}</h1>
${prompt === "select_account" && name ? `<form method="post"><input type="hidden" name="name" value="${name}"><button>Go on as ${name}</button></form>` : ""}
<form method="post"><label>Name at the provider <input name="name" value="${hint}"></label><button>Go on</button><button name="action" value="cancel">Never mind</button></form>`;

// signInThere fills in the page of the provider.
export async function signInThere(page, name) {
	await page.getByLabel("Name at the provider").fill(name);
	await page.getByRole("button", { name: "Go on", exact: true }).click();
}
