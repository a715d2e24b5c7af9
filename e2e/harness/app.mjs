// An application whose callback goes on to another origin, as apex to www, a
// broker or a private scheme do.
import { createServer } from "node:http";
import { profile } from "./browser.mjs";
import { sha256, webSecret } from "./gateway.mjs";

const listen = (answer) => new Promise((done) => {
	const server = createServer(answer).listen(0, "127.0.0.1", () => done(server));
});
const portOf = (server) => server.address().port;
const html = (answer, text) => answer.setHeader("Content-Type", "text/html").end(text);

// startApp serves an application at 127.0.0.1, another site than the gateway's, that
// takes people on to its home at localhost.
export async function startApp() {
	const last = await listen((_, answer) => html(answer, "<h1>Arrived</h1>"));
	const app = new App(last);
	await app.listen();
	return app;
}

class App {
	seen = []; // what it was sent
	held = []; // answers that wait for release
	signedOut = []; // the claims of logout tokens that it was sent
	#last;
	#server;
	#holds = () => {};

	constructor(last) { this.#last = last; }

	async listen() { this.#server = await listen((request, answer) => this.#serve(request, answer)); }

	get home() { return `http://localhost:${portOf(this.#last)}/`; }
	get origin() { return `http://127.0.0.1:${portOf(this.#server)}`; }
	get callback() { return this.origin + "/callback"; }
	get bye() { return this.origin + "/bye"; }
	get told() { return this.origin + "/told"; }

	// clients are its two registrations: one goes on, the other asks people first.
	get clients() {
		const web = ["type web", `redirect_uris ${this.callback} ${this.callback}?app=private ${this.callback}?app=slow`, `logout_uris ${this.bye}`, `secret_hash ${sha256(webSecret)}`];
		const client = (id, lines) => `client ${id} {\n${lines.join("\n")}\n}\n`;
		return client("goes-on", web) + client("asks-first", [...web, 'name "Orders back office"', "consent always"]);
	}

	// parameters are those of an authorization request.
	parameters(more) {
		return {
			client_id: "goes-on",
			response_type: "code",
			redirect_uri: this.callback,
			scope: "openid",
			code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
			code_challenge_method: "S256",
			state: "a state",
			...more,
		};
	}

	authorize(gateway, parameters) { return gateway.issuer + "authorize?" + new URLSearchParams(this.parameters(parameters)); }

	// logout is where it sends people to sign out.
	logout(gateway) {
		return gateway.issuer + "oidc/logout?" + new URLSearchParams({ client_id: "goes-on", post_logout_redirect_uri: this.bye, state: "s" });
	}

	// visitor is a browser profile of its own, for one test.
	async visitor(t, browser, options) {
		const context = await profile(browser, options);
		t.after(() => context.close());
		this.seen.length = 0;
		return context;
	}

	// arrives waits for the last page, and returns all that the application was sent.
	async arrives(gateway, page, path = "callback") {
		await page.waitForURL(this.home + path);
		await page.getByText("Arrived").waitFor();
		const answers = this.seen.splice(0).map(({ at }) => at.searchParams);
		for (const answer of answers) gateway.secret(answer.get("code"));
		return answers;
	}

	// redeem takes a code to the token endpoint.
	async redeem(gateway, { code, redirect_uri = this.callback, client_id = "goes-on" }) {
		const answer = await fetch(gateway.issuer + "oauth/token", {
			method: "POST",
			body: new URLSearchParams({
				grant_type: "authorization_code", client_id, client_secret: webSecret, code, redirect_uri,
				code_verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
			}),
		});
		return { status: answer.status, body: await answer.json() };
	}

	// form is the address of a page that posts fields to another place.
	form(to, fields) { return this.origin + "/form?" + new URLSearchParams({ to, fields: new URLSearchParams(fields) }); }

	#serve(request, answer) {
		const at = new URL(request.url, this.callback);
		if (at.pathname === "/favicon.ico") return answer.writeHead(404).end();
		if (at.pathname === "/form") {
			const input = ([name, value]) => `<input name="${name}" value='${value}'>`;
			const fields = [...new URLSearchParams(at.searchParams.get("fields"))].map(input).join("");
			return html(answer, `<form method="post" action="${at.searchParams.get("to")}">${fields}<button>Send</button></form>`);
		}
		if (request.method === "GET") this.seen.push({ at, referrer: request.headers.referer });
		let body = "";
		request.setEncoding("utf8").on("data", (text) => { body += text; }).on("end", () => {
			if (at.href === this.told) {
				this.signedOut.push(JSON.parse(Buffer.from(new URLSearchParams(body).get("logout_token").split(".")[1], "base64url")));
				return answer.end();
			}
			if (request.method === "POST") this.seen.push({ at, form: new URLSearchParams(body) });
			const to = at.searchParams.get("app") === "private" ? "com.example.broker:/signed-in" : this.home + at.pathname.slice(1);
			const go = () => answer.writeHead(request.method === "POST" ? 303 : 302, { Location: to }).end();
			if (at.searchParams.get("app") !== "slow") return go();
			this.held.push(go);
			this.#holds();
		});
	}

	// holds waits until that many answers wait for release.
	async holds(count) {
		while (this.held.length < count) await new Promise((done) => { this.#holds = done; });
	}

	// release answers what has been waiting.
	release() { for (const go of this.held.splice(0)) go(); }

	close() { for (const server of [this.#server, this.#last]) server.close(); }
}

// press presses a button of a page.
export const press = (page, name, options) => page.getByRole("button", { name, exact: true }).click(options);
