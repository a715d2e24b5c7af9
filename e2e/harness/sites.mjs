// Applications behind require_login, and what people do there.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { launch, profile } from "./browser.mjs";
import { freePlaces, serve } from "./gateway.mjs";
import { providerSecret, signInThere, startProvider } from "./provider.mjs";
import { startCache } from "./shared-cache.mjs";

// startApplication runs an application: pages that show their address, a form, a WebSocket that
// says hello, and a stream of events. It remembers the requests that it has got.
export async function startApplication() {
	const app = new Application();
	await app.listen();
	return app;
}

class Application {
	seen = [];
	#server;

	get port() { return this.#server.address().port; }

	async listen() {
		this.#server = createServer((request, answer) => this.#serve(request, answer)).on("upgrade", upgrade).listen(0, "127.0.0.1");
		await once(this.#server, "listening");
	}

	#serve(request, answer) {
		this.seen.push(request);
		const { pathname } = new URL(request.url, "http://localhost");
		if (pathname === "/events") {
			answer.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
			answer.write("data: hello\n\n");
			return;
		}
		if (pathname.startsWith("/static/")) answer.setHeader("Cache-Control", "public, max-age=3600, s-maxage=86400").setHeader("CDN-Cache-Control", "max-age=86400");
		answer.setHeader("Content-Type", "text/html");
		answer.end(`<!doctype html><title>app</title><h1>${request.method} ${request.url.replace(/[<&]/g, "")}</h1><p>For ${request.headers["x-user-id"]}</p>
			<form method="post" action="/save"><input name="text" value="a long text"><button>Save</button></form>`);
	}

	close() {
		this.#server.close();
		this.#server.closeAllConnections();
	}
}

function upgrade(request, socket) {
	const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
	socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n\x81\x05hello`, "latin1");
	socket.on("error", () => {});
}

// siteBlock is the block of a site in a Caddyfile, with more lines of its guard.
export const siteBlock = (origin, app, lines = "") => `${origin} {
	require_login {
		origin ${origin}
		header X-User-Id sub
		${lines}
	}
	reverse_proxy 127.0.0.1:${app.port}
}
`;

// heading waits for the page of the application.
export const heading = (page, name) => page.getByRole("heading", { name, exact: true }).waitFor();

// fetched is what a script of the page gets.
export const fetched = (page, path, options) => page.evaluate(async ([path, options]) => {
	const answer = await fetch(path, options);
	return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
}, [path, options]);

// openSocket opens a WebSocket from the page, and reports whether it said hello. window.socketClosed
// tells when it has ended.
export const openSocket = (page, address) => page.evaluate((address) => new Promise((done) => {
	const socket = new WebSocket(address);
	window.socketClosed = new Promise((closed) => { socket.onclose = () => closed(true); });
	socket.onmessage = () => done(true);
	socket.onerror = () => done(false);
}), address);

// startSites runs three sites of two domains, of which one is behind a cache, whose people sign in
// at node-oidc-provider, and a browser.
export async function startSites() {
	const sites = new Sites();
	await sites.start();
	return sites;
}

class Sites {
	async start() {
		const person = (name, ...groups) => ({ name, email: `${name.toLowerCase()}@example.org`, email_verified: name !== "Mary", groups });
		[this.app, this.node] = await Promise.all([startApplication(), startProvider({ ada: person("Ada", "staff", "editors"), mary: person("Mary", "staff"), grace: person("Grace", "staff", "editors") })]);
		const { app, node } = this;
		const [issuer, ...ports] = await freePlaces(6);
		const [wiki, board, other, behind, control] = ports.map((place) => new URL(place).port);
		this.admin = `localhost:${control}`;
		Object.assign(this, { issuer, wiki: `http://wiki.demo.localhost:${wiki}`, board: `http://board.demo.localhost:${board}`, other: `http://127.0.0.1:${other}` });
		node.register(`${issuer}callback/node`, { backchannel_logout_uri: `${issuer}backchannel-logout/node`, backchannel_logout_session_required: true, post_logout_redirect_uris: [`${issuer}signed-out/node`] });
		this.cache = await startCache(wiki, behind);
		// Who asks for the wiki comes by the cache.
		const blocks = siteBlock(this.wiki, app, `public /static/open/*\n\t\theader X-User-Email email\n\t\tidle_lifetime 1m\n\t\tallow_origins ${this.board}`)
			.replace(/^\S+ \{/, `http://wiki.demo.localhost:${behind} {`) + siteBlock(this.board, app, "for editors\n\t\tidle_lifetime 1m") + siteBlock(this.other, app);
		[this.gateway, this.browser] = await Promise.all([serve({ issuer }, ({ folder }) => `{
	admin ${this.admin}
	persist_config off
	default_bind 127.0.0.1
	storage file_system ${folder}/caddy
	oauth {
		issuer ${issuer}
		store bolt ${folder}/gatehouse.db
		login oidc node ${node.issuer} {
			client_id gatehouse
			client_secret "${providerSecret}"
			scopes openid profile email groups offline_access
			groups_claim groups
			groups_as_sent
			allow group staff
			recheck 1m
			logout_upstream
		}
	}
}
${issuer.slice(0, -1)} {
	oauth_server
}
${blocks}`), launch()]);
		this.gateway.secret(providerSecret);
	}

	async stop() {
		await this.browser?.close();
		await this.gateway?.stop(/oauth\.login_broken|"login_broken"/);
		await this.node?.down();
		this.cache?.close();
		this.app?.close();
	}

	// visitor is a browser of its own. Nothing that an application answers sets a cookie of ours there.
	async visitor(t) {
		const context = await profile(this.browser);
		t.after(() => context.close());
		const page = await context.newPage();
		page.on("response", async (answer) => {
			const at = new URL(answer.url());
			const set = (await answer.allHeaders().catch(() => ({})))["set-cookie"] ?? "";
			if (!at.pathname.startsWith("/.gatehouse/") && at.origin + "/" !== this.issuer) assert.doesNotMatch(set, /gatehouse/, answer.url());
		});
		return page;
	}

	// comesIn opens the wiki by way of the provider, and other sites by single sign-on.
	async comesIn(page, name, others = [this.board, this.other]) {
		await page.goto(this.wiki + "/page?x=1#part-2");
		await signInThere(page, name);
		await heading(page, "GET /page?x=1");
		assert.equal(page.url(), this.wiki + "/page?x=1#part-2");
		for (const site of others) {
			await page.goto(site + "/deep");
			await heading(page, "GET /deep");
		}
	}

	// later is half a minute later: the browser is not known any more to have just come back from a sign-in.
	later(page) { return page.context().clearCookies({ name: /gatehouse_returned/ }); }

	// signedIn tells at which sites a browser has a session.
	async signedIn(page) {
		const at = [];
		for (const name of ["wiki", "board", "other"]) {
			const cookies = await page.context().cookies(this[name]);
			const answer = await get(this[name] + "/.gatehouse/session", { Cookie: cookies.map((c) => `${c.name}=${c.value}`).join("; ") });
			assert.ok([200, 401].includes(answer.statusCode), `${name}: ${answer.statusCode}`);
			if (answer.statusCode === 200) at.push(name);
		}
		return at;
	}
}

// get asks for a page of any name of this machine, which only browsers know all of.
const get = (address, headers) => new Promise((done, fail) => {
	const { host, port, pathname } = new URL(address);
	request({ host: "127.0.0.1", port, path: pathname, headers: { ...headers, Host: host } }, (answer) => done(answer.resume())).on("error", fail).end();
});
