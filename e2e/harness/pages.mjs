// The way through every page that people see, in any language.
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { alice, sha256, webSecret } from "./gateway.mjs";

export const languages = ["en", "de", "fr", "es", "ja"];

// options are what the gateway of these pages has beside the usual: a provider that is
// away, and clients that ask by one login, by two, and for a group.
export const options = ({ api, callback }) => `
		client_registration {
			access open
			apis ${api}
			scopes orders:read
		}
		login oidc company http://localhost:1/ {
			label "Company account"
			client_id gatehouse
			client_secret 0123456789abcdef0123456789abcdef
			allow anyone
		}
		group managers {
			member local|bob
		}
		theme {
			name "Example"
			help https://example.com/help
			privacy https://example.com/privacy
		}
${[
		["desk", 'name "Orders"', "logins local"],
		["till", 'name "Orders till"', "logins local", "consent always"],
		["chooses", 'name "Orders"', "logins company local"],
		["managers", 'name "Accounts"', "logins local", "for managers"],
	].map(([id, ...lines]) => `		client ${id} {
			type web
			redirect_uris ${callback}
			apis ${api}
			secret_hash ${sha256(webSecret)}
			${lines.join("\n\t\t\t")}
		}`).join("\n")}`;

// sites are the blocks of a site, of which a part is for people that alice is not one of.
export const sites = ({ site }) => `${site}, ${site.replace("localhost", "127.0.0.1")} {
	require_login /accounts/* {
		origin ${site}
		for managers
		logins local
	}
	require_login {
		origin ${site}
		logins local
		keys
	}
	respond "the wiki"
}
`;

// serveClient is the application that people come back to.
export const serveClient = (gateway) => createServer((_, answer) => answer.end("the client")).listen(new URL(gateway.callback).port, "127.0.0.1");

const verifier = randomBytes(32).toString("base64url");

// authorize is where an application sends a person.
function authorize(gateway, client, more = {}) {
	return gateway.issuer + "authorize?" + new URLSearchParams({
		client_id: client, response_type: "code", redirect_uri: gateway.callback, audience: gateway.api,
		scope: "openid profile email offline_access orders:read", state: "s",
		code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256", ...more,
	});
}

// press presses a button, and waits for the page that answers.
async function press(page, value) {
	await page.locator("html").evaluate((html) => { html.dataset.left = ""; });
	await page.locator(`button[value="${value}"]`).click();
	await page.locator("html:not([data-left])").waitFor();
	await page.waitForLoadState();
}

const fill = (page, field, value) => page.locator(field).fill(value);

async function signIn(page, username = alice.username) {
	await fill(page, "#username", username);
	await fill(page, "#password", alice.password);
	await press(page, "login");
}

// redeem takes the code that the page has come back with, so that an application is signed in.
async function redeem(gateway, page, client) {
	await page.waitForURL(gateway.callback + "**");
	const code = new URL(page.url()).searchParams.get("code");
	const answer = await fetch(gateway.issuer + "oauth/token", {
		method: "POST",
		headers: { "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" },
		body: new URLSearchParams({ grant_type: "authorization_code", client_id: client, client_secret: webSecret, redirect_uri: gateway.callback, code, code_verifier: verifier }),
	});
	if (!answer.ok) throw new Error(`no tokens for ${client}: ${await answer.text()}`);
	const tokens = await answer.json();
	gateway.secret(code, ...Object.values(tokens).filter((value) => String(value).length > 40));
}

// device asks for a code as a television does.
async function device(gateway) {
	const answer = await fetch(gateway.issuer + "oauth/device/code", {
		method: "POST", body: new URLSearchParams({ client_id: "cli", scope: "openid offline_access orders:read", audience: gateway.api }),
	});
	return (await answer.json()).user_code;
}

// stranger registers itself as a program on this computer does, and returns where it sends a person.
async function stranger(gateway) {
	const redirect_uri = "http://127.0.0.1:51004/callback";
	const answer = await fetch(gateway.issuer + "oauth/register", {
		method: "POST", headers: { "Content-Type": "application/json" },
		body: JSON.stringify({ client_name: "Orders assistant", redirect_uris: [redirect_uri], token_endpoint_auth_method: "none" }),
	});
	return authorize(gateway, (await answer.json()).client_id, { redirect_uri, scope: "orders:read" });
}

// visitSites leads through the pages of a site; through the one that goes on by itself without its script.
async function visitSites(gateway, page, at) {
	const { site } = gateway;
	await page.route(site + "/start", async (route) => {
		const response = await route.fetch();
		await route.fulfill({ response, body: (await response.text()).replace(/<script[^]*<\/script>/, "") });
	});
	await at("site-start", site + "/start");
	await page.route(site + "/framed", async (route) => {
		await route.fulfill({ response: await route.fetch({ headers: { ...route.request().headers(), "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" } }) });
	});
	await at("site-framed", site + "/framed");
	await page.evaluate((action) => document.body.insertAdjacentHTML("beforeend", `<form method="post" action="${action}"></form>`), site + "/save");
	await Promise.all([page.waitForURL(site + "/save"), page.evaluate(() => document.forms[0].submit())]);
	await at("site-posted");
	const comesIn = () => Promise.all([page.getByText("the wiki").waitFor(), page.goto(site + "/page").catch(() => {})]); // the start page goes on by itself
	await Promise.all([page.locator("#username").waitFor(), page.goto(site + "/page").catch(() => {})]);
	await signIn(page);
	await page.getByText("the wiki").waitFor();
	await at("site-refused", site + "/accounts/x");
	await at("site-logout", site + "/.gatehouse/logout");
	await page.context().clearCookies({ name: /gatehouse_site/ });
	await at("site-again", site + "/page");
	await at("site-misdirected", site.replace("localhost", "127.0.0.1") + "/page");
	await page.context().clearCookies({ name: /gatehouse_returned/ });
	await comesIn();
	await at("keys", "account/keys");
	await page.locator("[name=name]").fill("Phone");
	await page.locator("form button").click();
	await page.getByText("gk1.").waitFor();
	await at("key-made");
	await page.context().clearCookies();
}

// walk leads one tab through every page in a language, and calls visit with the name of each.
export async function walk(gateway, page, language, visit) {
	await page.setExtraHTTPHeaders({ "Accept-Language": language });
	const at = async (name, path) => {
		if (path) await page.goto(path.startsWith("http") ? path : gateway.issuer + path);
		await visit(name, page);
	};
	await visitSites(gateway, page, at);
	await at("chooser", authorize(gateway, "chooses"));
	await press(page, "company");
	await at("provider-away");
	await at("login", authorize(gateway, "till", { prompt: "consent" }));
	await signIn(page, "nobody-" + language);
	await at("login-wrong");
	await signIn(page);
	await at("consent");
	await press(page, "allow");
	await redeem(gateway, page, "till");
	await at("stranger", await stranger(gateway));
	await page.goto(authorize(gateway, "desk"));
	await redeem(gateway, page, "desk");
	await at("refused", authorize(gateway, "managers"));
	await at("account", "account");
	await at("activate", "activate");
	await fill(page, "#user_code", "XXXX");
	await press(page, "continue");
	await at("activate-wrong");
	await fill(page, "#user_code", await device(gateway));
	await press(page, "continue");
	await at("device");
	await press(page, "allow");
	await at("device-connected");
	await at("error", authorize(gateway, "desk", { redirect_uri: "https://elsewhere.example/callback" }));
	await page.goto(gateway.issuer + "account");
	await page.locator("[name=request]").evaluate((field) => { field.value = "x"; });
	await press(page, "signout");
	await at("start-again");
	await at("logout", "oidc/logout?client_id=desk");
	await press(page, "logout");
	await at("signed-out");
	await at("start", "login");
	await at("not-found", "nothing-here");
	await page.context().clearCookies();
}
