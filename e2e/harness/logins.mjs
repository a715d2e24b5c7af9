// A gateway whose people sign in at providers of others: at node-oidc-provider, twice, and at a second Gatehouse.
import assert from "node:assert/strict";
import { press, startApp } from "./app.mjs";
import { launch, signIn } from "./browser.mjs";
import { callAPI, sha256, start, webSecret } from "./gateway.mjs";
import { providerSecret, signInThere, startProvider } from "./provider.mjs";
import { secondPlaces, startSecond } from "./second.mjs";

export const small = { viewport: { width: 320, height: 568 } };

const people = () => ({
	ada: { name: "Ada Lovelace", email: "ada@example.org", email_verified: true, groups: ["staff"] },
	mary: { name: "Mary Somerville", email: "mary@example.org", email_verified: false, groups: ["staff", "editors"] },
	grace: { name: "Grace Hopper", email: "grace@example.org", email_verified: true, groups: ["staff"] },
	eve: { name: "Eve", email: "eve@example.net", email_verified: true, groups: ["visitors"] },
});

// startLogins runs all of it, and a browser. options are more lines of each login.
export async function startLogins(options = "") {
	const logins = new Logins();
	await logins.start(options);
	return logins;
}

class Logins {
	// start begins with the providers, of which late is down.
	async start(options) {
		const places = await secondPlaces();
		[this.app, this.node, this.late] = await Promise.all([startApp(), startProvider(people()), startProvider(people())]);
		await this.late.down();
		const { app, node, late } = this;
		const client = (id, ...lines) => `client ${id} {\n${["type web", `redirect_uris ${app.callback}`, `logout_uris ${app.bye}`, `secret_hash ${sha256(webSecret)}`, ...lines].join("\n")}\n}\n`;
		const login = (name, { issuer }, label, ...lines) => `login oidc ${name} ${issuer} {\n${[`label "${label}"`, "client_id gatehouse", `client_secret "${providerSecret}"`, ...lines].join("\n")}\n}\n`;
		const config = ({ api }) => `
			${login("node", node, "Node account", "scopes openid profile email groups offline_access", "groups_claim groups", "allow group staff", options)}
			${login("second", places, "The other Gatehouse", "scopes openid profile email offline_access", "parameter audience https://people.example.com", options)}
			${login("late", late, "Late account", "scopes openid profile email offline_access", "allow anyone", options)}
			${client("orders", 'name "Orders"', `apis ${api}`, `backchannel_logout_uri ${app.told}`)}
			${client("one", 'name "Of the node"', `apis ${api}`, "logins node")}
			${client("two", 'name "Of strangers"', `apis ${api}`, "logins node second")}`;
		this.gateway = await start(async ({ issuer, ...more }) => {
			for (const name of ["node", "late"]) this[name].register(`${issuer}callback/${name}`, { backchannel_logout_uri: `${issuer}backchannel-logout/${name}`, backchannel_logout_session_required: true, post_logout_redirect_uris: [`${issuer}signed-out/${name}`] });
			this.second = await startSecond(places, issuer);
			return config(more);
		});
		this.gateway.secret(providerSecret);
		this.browser = await launch();
	}

	async stop() {
		await this.browser?.close();
		await this.second?.stop();
		await Promise.all([this.node, this.late].map((provider) => provider?.down()));
		this.app?.close();
		await this.gateway?.stop(/"login":"late"|"status":503/);
	}

	authorize(parameters) {
		return this.app.authorize(this.gateway, { client_id: "orders", scope: "openid profile email offline_access orders:read", audience: this.gateway.api, ...parameters });
	}

	// arrives is the one answer that the application gets.
	async arrives(page, path) {
		const [answer, ...more] = await this.app.arrives(this.gateway, page, path);
		assert.equal(more.length, 0, "it got several answers");
		return answer;
	}

	// visitor is a browser profile of its own, with one page.
	async visitor(t, options) { return (await this.app.visitor(t, this.browser, options)).newPage(); }

	// comesIn signs in by the node, from the page with all logins.
	async comesIn(page, name = "ada", parameters) {
		await page.goto(this.authorize(parameters));
		await press(page, "Continue with Node account");
		await signInThere(page, name);
		return this.arrives(page);
	}

	// goesToLate presses until the provider that was down has been found: it is looked for each few seconds.
	async goesToLate(page) {
		while (!page.url().startsWith(this.late.issuer)) await Promise.all([page.waitForNavigation(), press(page, "Continue with Late account")]);
	}

	// comesByOther signs in by the second Gatehouse.
	async comesByOther(page) {
		await page.goto(this.authorize());
		await press(page, "Continue with The other Gatehouse");
		await signIn(page);
		return this.arrives(page);
	}

	// comesInHere signs in by a password of the gateway itself.
	async comesInHere(page) {
		await page.goto(this.authorize());
		await signIn(page);
		return this.arrives(page);
	}

	// tokens redeems the code of an answer, and demands that the tokens are good: at the API, and to go on with.
	async tokens(answer, client_id = "orders") {
		const { status, body } = await this.app.redeem(this.gateway, { code: answer.get("code"), client_id });
		assert.equal(status, 200, JSON.stringify(body));
		const { access_token, refresh_token, id_token } = body;
		this.gateway.secret(access_token, refresh_token, id_token);
		const claims = JSON.parse(Buffer.from(id_token.split(".")[1], "base64url"));
		assert.equal((await callAPI(this.gateway, access_token)).body.user, claims.sub);
		const again = await this.refresh(refresh_token, client_id);
		assert.equal(again.status, 200, JSON.stringify(again.body));
		return { ...again.body, claims };
	}

	async refresh(refresh_token, client_id = "orders") {
		const answer = await fetch(this.gateway.issuer + "oauth/token", {
			method: "POST", body: new URLSearchParams({ grant_type: "refresh_token", client_id, client_secret: webSecret, refresh_token }),
		});
		const body = await answer.json();
		this.gateway.secret(body.access_token, body.refresh_token, body.id_token);
		return { status: answer.status, body };
	}
}

// atNode waits for the page of a provider, and chooser for the one that leads there.
export const atNode = (page) => page.getByRole("heading", { name: "Sign in at the provider" }).waitFor();
export const chooser = (page) => page.getByRole("button", { name: "Continue with Node account" }).waitFor();
