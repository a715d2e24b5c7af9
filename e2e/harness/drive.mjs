// What a person and an API's callers do with the programs in e2e/clients. A drive fails where the program does not do what its
// client.json says, or does more than that.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { profile, signIn } from "./browser.mjs";
import { environment, tokens } from "./clients-gateway.mjs";
import { start } from "./clients.mjs";
import { mcp } from "./mcp-program.mjs";
import { Person } from "./person.mjs";

// drive runs a client's program and uses it. launched returns a browser, for those that need one.
export async function drive(client, gateway, launched) {
	if (client.kind === "mcp") return mcp(client, gateway);
	if (client.kind === "spa") return spa(client, await launched());
	const program = await start(client, environment(client, gateway));
	try {
		await (client.kind === "api" ? api(client, gateway) : site(client, gateway));
	} catch (failure) {
		failure.message += `\n${client.name} said:\n${program.said()}`;
		throw failure;
	} finally {
		await program.stop();
	}
}

// site signs in at a program on a server, as a browser without scripts.
async function site(client, gateway) {
	const does = (step) => client.does.includes(step);
	const person = new Person();
	const endSession = encodeURIComponent(`${gateway.issuer}oidc/logout?${new URLSearchParams({ client_id: client.name, post_logout_redirect_uri: client.home })}`);
	const open = async (step) => {
		const path = (client.paths[step] ?? step).replace("{end_session}", endSession);
		const page = await person.open(client.home + path, { forms: client.forms });
		return { ...page, seen: `${step}: ${page.status} at ${page.url}: ${page.text}` };
	};

	const first = await open("login");
	assert.ok(first.url.href.startsWith(client.home) && first.status < 400, first.seen);
	const user = await open("user");
	assert.ok(user.text.includes("alice@example.com"), user.seen);

	let before;
	if (does("call an API")) before = called(await open("orders"));
	if (does("refresh")) {
		// Some refresh by the clock: they are asked until they have another token.
		let after = before;
		for (let i = 0; i < 50 && after === before; i++) {
			if (i > 0) await pause(100);
			after = called(await open("refresh"));
		}
		assert.notEqual(after, before, "no refresh");
	}
	let passwords = 1;
	if (does("hear of sign-outs")) {
		const out = async () => assert.match((await person.open(gateway.issuer + "oidc/logout")).text, /You are signed out/);
		for (const end of [out, () => gateway.operate("users", "end", "local|alice")]) {
			await end();
			let left = await open("user");
			for (let i = 0; i < 100 && left.text.includes("alice@example.com"); i++) {
				await pause(100);
				left = await open("user");
			}
			assert.ok(!left.text.includes("alice@example.com"), left.seen);
			await open("login");
			assert.ok((await open("user")).text.includes("alice@example.com"));
			assert.equal(person.passwords, ++passwords, "times that the password was asked for");
		}
	}
	if (!does("sign out") && !does("forget")) return;
	const out = await open("logout");
	assert.ok(out.url.href.startsWith(client.home), out.seen);
	const gone = await open("user");
	assert.ok(!gone.text.includes("alice@example.com"), gone.seen);
	await open("login");
	assert.equal(person.passwords, does("sign out") ? passwords + 1 : passwords, "times that the password was asked for");
}

// called returns the id of the token that the API saw.
function called(page) {
	const { user, token } = JSON.parse(page.text);
	assert.equal(user, "local|alice", page.seen);
	return token;
}

// api calls an API that verifies by itself.
async function api(client, gateway) {
	const { AUDIENCE } = environment(client, gateway);
	const other = AUDIENCE === gateway.api ? gateway.auth0API : gateway.api;
	const [own, foreign] = await Promise.all([AUDIENCE, other].map((audience) => tokens(gateway, audience)));
	const orders = client.home + (client.paths.orders ?? "orders");
	const call = (token) => fetch(orders, { redirect: "manual", headers: token && { Authorization: `Bearer ${token}` } });

	const good = await call(own.access_token);
	const text = await good.text();
	assert.equal(good.status, 200, text);
	assert.ok(text.includes("local|alice"), text);
	const [head, body, signature] = own.access_token.split(".");
	const bad = {
		"no token": undefined,
		"another API's token": foreign.access_token,
		"an ID token": own.id_token,
		"a changed signature": [head, body, (signature[0] === "A" ? "B" : "A") + signature.slice(1)].join("."),
		"alg none": [Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url"), body, ""].join("."),
	};
	for (const [name, token] of Object.entries(bad)) {
		const { status } = await call(token);
		assert.ok([302, 400, 401, 403].includes(status), `${name}: ${status}`);
	}
}

// spa signs in at a page that has these buttons, and shows what it knows as JSON.
async function spa(client, browser) {
	const does = (step) => client.does.includes(step);
	const context = await profile(browser, { ignoreHTTPSErrors: true });
	const page = await context.newPage();
	const said = [];
	page.on("console", (message) => said.push(message.text()));
	page.on("pageerror", (failure) => said.push(String(failure)));
	const shows = page.locator("output");
	const ready = () => page.locator("body[data-ready]").waitFor();
	const press = async (name) => {
		await page.getByRole("button", { name, exact: true }).click();
		await page.locator("output[data-ready]").waitFor({ state: "attached" });
		return shows.textContent();
	};
	try {
		await page.goto(client.home);
		await ready();
		await page.getByRole("button", { name: "Sign in", exact: true }).click();
		await signIn(page);
		await page.waitForURL(client.home + "**");
		await page.getByText("alice@example.com").waitFor();
		const before = called({ text: await press("Call the API") });
		if (does("reload")) {
			await page.goto(client.home);
			await page.getByText("alice@example.com").waitFor();
		}
		if (does("refresh")) {
			await press("Refresh");
			assert.notEqual(called({ text: await press("Call the API") }), before);
		}
		if (does("sign out")) {
			const out = page.getByRole("button", { name: "Sign out", exact: true });
			await Promise.all([page.waitForEvent("load"), out.click()]);
			// The gateway asks where no ID token says who signs out.
			if (!page.url().startsWith(client.home)) await Promise.all([page.waitForEvent("load"), out.click()]);
			assert.ok(page.url().startsWith(client.home), page.url());
			await ready();
			await page.getByRole("button", { name: "Sign in", exact: true }).click();
			await page.getByLabel("Password").waitFor();
		}
	} catch (failure) {
		failure.message += `\n${client.name} at ${page.url()} said:\n${said.join("\n")}\n${await page.locator("body").innerText().catch(() => "")}`;
		throw failure;
	} finally {
		await context.close();
	}
}
