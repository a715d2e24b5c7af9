// Three sites behind require_login, of two hosts: what a person does there, in a real browser.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch, profile, signIn } from "../harness/browser.mjs";
import { alice, aliceHash, freePlaces, serve } from "../harness/gateway.mjs";

let gateway;
let browser;
let upstream;
let seen = []; // by the upstream

// An application: pages that show their address, a form, and a WebSocket that says hello.
function application() {
	const server = createServer((request, answer) => {
		seen.push(request);
		answer.setHeader("Content-Type", "text/html");
		answer.end(`<!doctype html><title>app</title><h1>${request.method} ${request.url.replace(/[<&]/g, "")}</h1>
			<form method="post" action="/save"><input name="text" value="a long text"><button>Save</button></form>`);
	});
	server.on("upgrade", (request, socket) => {
		const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
		socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n\x81\x05hello`, "latin1");
		socket.on("error", () => {});
	});
	return server.listen(0, "127.0.0.1");
}

before(async () => {
	upstream = application();
	const [issuer, a, b, c] = await freePlaces(4);
	const places = { issuer, wiki: a.slice(0, -1), board: b.slice(0, -1), other: c.slice(0, -1).replace("localhost", "127.0.0.1") };
	const site = (origin, lines = "") => `${origin} {\n\trequire_login {\n\t\torigin ${origin}\n\t\theader X-User-Id sub\n\t\t${lines}\n\t}\n\treverse_proxy 127.0.0.1:${upstream.address().port}\n}\n`;
	[gateway, browser] = await Promise.all([serve(places, ({ folder }) => `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	storage file_system ${folder}/caddy
	oauth {
		issuer ${issuer}
		store bolt ${folder}/gatehouse.db
		login local {
			user ${alice.username} ${aliceHash} {
				groups staff
			}
		}
	}
}
${issuer.slice(0, -1)} {
	oauth_server
}
${site(places.wiki)}${site(places.board, "for admins")}${site(places.other, "public /health")}`), launch()]);
});
after(async () => {
	await browser?.close();
	await gateway?.stop();
	upstream?.close();
	upstream?.closeAllConnections();
});

const heading = (page, name) => page.getByRole("heading", { name, exact: true }).waitFor();
const fetched = (page, path, options) => page.evaluate(async ([path, options]) => {
	const answer = await fetch(path, options);
	return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
}, [path, options]);

test("one sign-in is good for all sites, and deep links and fragments are kept", async () => {
	const context = await profile(browser);
	const page = await context.newPage();
	await page.goto(gateway.wiki + "/page?x=1&y=%2F#part-2");
	await signIn(page);
	await heading(page, "GET /page?x=1y=%2F");
	assert.equal(page.url(), gateway.wiki + "/page?x=1&y=%2F#part-2");

	await page.goto(gateway.other + "/deep#there"); // another host: no password
	await heading(page, "GET /deep");
	assert.equal(page.url(), gateway.other + "/deep#there");
	assert.deepEqual(seen.filter((r) => r.headers.cookie?.includes("gatehouse")), []);
	assert.equal(seen.at(-1).headers["x-user-id"], "local|alice");

	await page.goto(gateway.board + "/"); // not for her groups
	await page.getByText("This account may not open this page").waitFor();
	await context.close();
});

test("tabs that are opened at once each end where they wanted to be, and Back is fine", async () => {
	const context = await profile(browser);
	const tabs = await Promise.all([1, 2, 3].map(async (n) => {
		const tab = await context.newPage();
		await tab.goto(`${gateway.wiki}/tab${n}`);
		await tab.getByLabel("Password").waitFor();
		return tab;
	}));
	for (const [i, tab] of tabs.entries()) {
		await signIn(tab);
		await heading(tab, `GET /tab${i + 1}`);
	}
	await tabs[0].goto(gateway.wiki + "/next");
	await tabs[0].goBack();
	await heading(tabs[0], "GET /tab1");
	await context.close();
});

test("a session that ends while a page is open: fetch, form and WebSocket", async () => {
	const context = await profile(browser);
	const page = await context.newPage();
	await page.goto(gateway.wiki + "/editor");
	await signIn(page);
	await heading(page, "GET /editor");
	await page.evaluate(() => new Promise((said, failed) => {
		const socket = new WebSocket(location.origin.replace("http", "ws") + "/socket");
		window.socketClosed = new Promise((done) => { socket.onclose = () => done(true); });
		socket.onmessage = said;
		socket.onerror = failed;
	}));
	const second = await context.newPage();
	await second.goto(gateway.other + "/");
	await heading(second, "GET /");
	const out = await fetched(second, "/.gatehouse/logout", { method: "POST", redirect: "manual" });
	assert.equal(out.text, ""); // a redirect to the issuer
	assert.equal(await page.evaluate(() => window.socketClosed), true); // at the other site

	const answer = await fetched(page, "/api");
	assert.equal(answer.status, 401);
	assert.match(answer.type, /^application\/problem\+json/);
	assert.match(answer.text, /\.gatehouse\/login/);
	const before = seen.length;
	await page.getByRole("button", { name: "Save" }).click();
	await page.getByText("nothing was sent to the application").waitFor();
	assert.equal(seen.length, before);
	const [again] = await Promise.all([context.waitForEvent("page"), page.getByRole("link", { name: "Sign in in a new tab" }).click()]);
	const closed = again.waitForEvent("close"); // by itself
	await signIn(again);
	await closed;
	await page.reload(); // the browser sends the form again
	await heading(page, "POST /save");
	await context.close();
});

test("what a client says of itself is not heard, and pages of others get nothing", async () => {
	const context = await profile(browser);
	const answer = await context.request.get(gateway.other + "/health", { headers: { "X-User-Id": "local|alice", "Remote-User": "alice", "x~user~id": "a" } });
	assert.equal(answer.status(), 200);
	assert.deepEqual(Object.keys(seen.at(-1).headers).filter((name) => /user/.test(name) && name !== "user-agent"), []);
	const page = await context.newPage();
	await page.goto(gateway.wiki + "/");
	await signIn(page);
	await heading(page, "GET /");
	await page.goto(gateway.other + "/health"); // a page of another host, and of another port
	const opened = await page.evaluate((address) => new Promise((done) => {
		const socket = new WebSocket(address);
		socket.onopen = () => done(true);
		socket.onerror = () => done(false);
	}), gateway.wiki.replace("http", "ws") + "/socket");
	assert.equal(opened, false);
	await context.close();
});
