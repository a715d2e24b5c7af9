// People sign in at a real Keycloak.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { press, startApp } from "../../harness/app.mjs";
import { launch, shoot } from "../../harness/browser.mjs";
import { callAPI, freePlaces, sha256, start, webSecret } from "../../harness/gateway.mjs";
import { startKeycloak } from "../../harness/keycloak.mjs";
import { providerSecret } from "../../harness/provider.mjs";

let app, keycloak, gateway, browser;
before(async () => {
	const [place] = await freePlaces(1);
	app = await startApp();
	gateway = await start(async ({ issuer, api }) => {
		keycloak = await startKeycloak(place, issuer);
		return `
		login keycloak ${keycloak.issuer} company {
			label "Company account"
			client_id gatehouse
			client_secret "${providerSecret}"
			allow group /staff
			recheck 1m
			logout_upstream
		}
		login keycloak ${keycloak.issuer} sso {
			label "Single sign-on"
			client_id gatehouse-sso
			client_secret "${providerSecret}"
			allow group /staff
			logout_upstream
		}
		${Object.entries({ orders: "company", desk: "sso" }).map(([id, login]) => `client ${id} {
			type web
			redirect_uris ${app.callback}
			logout_uris ${app.bye}
			apis ${api}
			secret_hash ${sha256(webSecret)}
			logins ${login}
		}`).join("\n")}`;
	});
	gateway.secret(providerSecret, "analytical");
	browser = await launch();
});
after(async () => {
	await browser?.close();
	await keycloak?.stop();
	app?.close();
	await gateway?.stop();
});

const authorize = (parameters) => app.authorize(gateway, { client_id: "orders", scope: "openid profile email offline_access orders:read", audience: gateway.api, ...parameters });

async function visitor(t) {
	return (await app.visitor(t, browser)).newPage();
}

// signInThere fills in Keycloak's page.
async function signInThere(page, name) {
	await page.getByLabel("Username or email").fill(name);
	await page.locator("input[name=password]").fill("analytical");
	await page.getByRole("button", { name: "Sign In" }).click();
}

// comesIn signs in to an application: orders has people come by offline sessions there, desk by those of a browser.
async function comesIn(page, name, client_id = "orders", there = (page) => signInThere(page, name)) {
	await page.goto(authorize({ client_id }));
	await there(page);
	const [answer] = await app.arrives(gateway, page);
	const { status, body } = await app.redeem(gateway, { code: answer.get("code"), client_id });
	assert.equal(status, 200, JSON.stringify(body));
	gateway.secret(body.access_token, body.refresh_token, body.id_token);
	return { ...body, client_id, claims: JSON.parse(Buffer.from(body.id_token.split(".")[1], "base64url")) };
}

async function refresh(held) {
	const answer = await fetch(gateway.issuer + "oauth/token", {
		method: "POST", body: new URLSearchParams({ grant_type: "refresh_token", client_id: held.client_id, client_secret: webSecret, refresh_token: held.refresh_token }),
	});
	const body = await answer.json();
	gateway.secret(body.access_token, body.refresh_token, body.id_token);
	if (answer.ok) Object.assign(held, body);
	return { status: answer.status, body };
}

test("sign in, with who it is and when they proved it", async (t) => {
	const page = await visitor(t);
	const { claims, ...held } = await comesIn(page, "ada");
	assert.match(claims.sub, /^company\|[0-9a-f-]{36}$/);
	assert.deepEqual([claims.name, claims.email, claims.email_verified], ["Ada Lovelace", "ada@example.org", true]);
	assert.equal((await callAPI(gateway, held.access_token)).body.user, claims.sub);
	assert.equal((await refresh(held)).status, 200);

	await page.goto(authorize({ prompt: "login" }));
	await signInThere(page, "ada");
	assert.ok((await app.arrives(gateway, page))[0].get("code"));
});

test("who is in no group that may come in is refused, and comes in as another", async (t) => {
	const page = await visitor(t);
	await page.goto(authorize());
	await signInThere(page, "eve");
	await page.getByText("This account cannot sign in here").waitFor();
	await page.getByText("eve@example.net").waitFor();
	await shoot(page, "keycloak-refused");
	await press(page, "Use another account");
	await signInThere(page, "ada");
	assert.ok((await app.arrives(gateway, page))[0].get("code"));
});

// isOver demands that nothing of a sign-in is left here.
async function isOver(page, held) {
	assert.equal((await callAPI(gateway, held.access_token)).status, 401);
	assert.equal((await refresh({ ...held })).body.error, "invalid_grant");
	await page.goto(authorize({ client_id: held.client_id, prompt: "none" }));
	const [answer] = await app.arrives(gateway, page);
	assert.equal(answer.get("error"), "login_required");
}

async function goesOn(held) {
	assert.equal((await callAPI(gateway, held.access_token)).status, 200);
	assert.equal((await refresh(held)).status, 200);
}

test("back-channel logout: who signs out there is out here, in that browser alone", async (t) => {
	const laptop = await visitor(t), phone = await visitor(t);
	const there = await comesIn(phone, "ada", "desk"), here = await comesIn(laptop, "ada", "desk");
	await laptop.goto(`${keycloak.issuer}/protocol/openid-connect/logout`);
	await laptop.getByRole("button", { name: "Logout" }).click();
	await laptop.getByRole("heading", { name: "You are logged out" }).waitFor();
	await isOver(laptop, here);
	await goesOn(there);
	await goesOn(await comesIn(laptop, "ada", "desk")); // and in again
});

test("back-channel logout: an administrator ends one session, and all of a person", async (t) => {
	await keycloak.endAll("ada");
	const laptop = await visitor(t), phone = await visitor(t);
	const here = await comesIn(laptop, "ada", "desk"), there = await comesIn(phone, "ada", "desk");
	const [first] = await keycloak.sessions("ada");
	await keycloak.endSession(first);
	await isOver(laptop, here);
	await goesOn(there);
	const again = await comesIn(laptop, "ada", "desk");
	await keycloak.endAll("ada");
	await isOver(laptop, again);
	await isOver(phone, there);
});

test("logout_upstream: out here is out there, and back to the application or to a page that says so", async (t) => {
	const page = await visitor(t);
	const held = await comesIn(page, "ada", "desk");
	const end = new URL(gateway.issuer + "oidc/logout");
	end.search = new URLSearchParams({ id_token_hint: held.id_token, post_logout_redirect_uri: app.bye, state: "bye" });
	await page.goto(end.href);
	const [answer] = await app.arrives(gateway, page, "bye");
	assert.equal(answer.get("state"), "bye");

	await comesIn(page, "ada", "desk", async (page) => { // nobody is sent there without a click, and has to prove who they are
		await page.getByRole("button", { name: /^Continue with/ }).click();
		await signInThere(page, "ada");
	});
	await page.goto(gateway.issuer + "account");
	await press(page, "Sign out");
	await page.getByRole("heading", { name: "You are signed out" }).waitFor();
	assert.equal(await page.getByText("You may still be signed in").count(), 0);
	assert.deepEqual(await keycloak.sessions("ada"), []);
});

test("recheck: single-use refresh tokens, and somebody who is disabled there is out", async (t) => {
	const page = await visitor(t);
	const held = await comesIn(page, "ada");
	t.after(() => keycloak.change("ada", { enabled: true, firstName: "Ada" }));
	// stay refreshes as an application in use does, until something is true.
	const stay = async (until) => {
		for (const end = Date.now() + 100_000; ;) {
			const answer = await refresh(held);
			if (await until(answer)) return;
			assert.equal(answer.status, 200, JSON.stringify(answer.body));
			assert.ok(Date.now() < end, "it has not come");
			await pause(1_000);
		}
	};
	await keycloak.change("ada", { firstName: "Augusta Ada" });
	const userinfo = async () => (await fetch(gateway.issuer + "userinfo", { headers: { Authorization: `Bearer ${held.access_token}` } })).json();
	await stay(async () => (await userinfo()).name === "Augusta Ada Lovelace");
	await keycloak.change("ada", { enabled: false });
	await stay(({ status, body }) => status === 400 && body.error === "invalid_grant");
	assert.equal((await callAPI(gateway, held.access_token)).status, 401);
	await page.goto(authorize());
	await page.getByLabel("Username or email").waitFor();
});
