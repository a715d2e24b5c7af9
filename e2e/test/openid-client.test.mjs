import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as client from "openid-client";
import { callAPI, leeway, machineSecret, signingKey, start, webSecret } from "../harness/gateway.mjs";
import { setTimeout as pause } from "node:timers/promises";
import { Person } from "../harness/person.mjs";

let gateway;
before(async () => { gateway = await start(); });
after(() => gateway?.stop());

const discover = (id, auth) => client.discovery(new URL(gateway.issuer), id, undefined, auth, { execute: [client.allowInsecureRequests] });

async function login(config, person = new Person()) {
	const verifier = client.randomPKCECodeVerifier();
	const state = client.randomState();
	const nonce = client.randomNonce();
	const url = client.buildAuthorizationUrl(config, {
		redirect_uri: gateway.callback,
		scope: "openid profile offline_access orders:read orders:write",
		audience: gateway.api,
		code_challenge: await client.calculatePKCECodeChallenge(verifier),
		code_challenge_method: "S256",
		state,
		nonce,
	});
	const back = await person.authorize(url, gateway.callback);
	const tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true });
	gateway.secret(back.searchParams.get("code"), verifier, tokens.access_token, tokens.refresh_token, tokens.id_token);
	return tokens;
}

async function refresh(config, token, parameters) {
	const tokens = await client.refreshTokenGrant(config, token, parameters);
	gateway.secret(tokens.access_token, tokens.refresh_token);
	return tokens;
}

test("discovery, code, userinfo, refresh, introspection, revocation", async () => {
	const config = await discover("web", client.ClientSecretBasic(webSecret));
	const first = await login(config);
	assert.equal((await client.fetchUserInfo(config, first.access_token, first.claims().sub)).name, "Alice Liddell");

	const second = await refresh(config, first.refresh_token);
	assert.ok(second.id_token, "a refresh of an OpenID login carries an ID token");
	assert.equal(second.claims().sub, first.claims().sub);
	assert.equal((await client.tokenIntrospection(config, second.access_token)).active, true);
	assert.equal((await callAPI(gateway, first.access_token)).status, 200, "a refresh leaves the access token before it alone");

	await client.tokenRevocation(config, second.refresh_token);
	assert.equal((await client.tokenIntrospection(config, second.refresh_token)).active, false);
	for (const tokens of [first, second]) assert.equal((await callAPI(gateway, tokens.access_token)).status, 401);
});

test("the scope of one access token can be narrowed, not widened", async () => {
	const config = await discover("web", client.ClientSecretPost(webSecret));
	const first = await login(config);
	const narrow = await refresh(config, first.refresh_token, { scope: "orders:read" });
	assert.equal(narrow.scope, "orders:read");
	const whole = await refresh(config, narrow.refresh_token);
	assert.match(whole.scope, /orders:write/);
	await assert.rejects(refresh(config, whole.refresh_token, { scope: "orders:delete" }), { error: "invalid_scope" });
	await refresh(config, whole.refresh_token);
});

test("a spent refresh token: the same successor within the leeway, the end of the login after it", async () => {
	const config = await discover("web", client.ClientSecretPost(webSecret));
	const first = await login(config);
	const second = await refresh(config, first.refresh_token);
	const again = await refresh(config, first.refresh_token);
	assert.equal(again.refresh_token, second.refresh_token);
	const third = await refresh(config, second.refresh_token);

	await pause(leeway + 200); // the gateway's clock is the real one
	await assert.rejects(refresh(config, second.refresh_token), { error: "invalid_grant", error_description: "Unknown or invalid refresh token." });
	await assert.rejects(refresh(config, third.refresh_token), { error: "invalid_grant" });
	assert.equal((await callAPI(gateway, third.access_token)).status, 401);
});

test("a session answers a second login", async () => {
	const config = await discover("web", client.ClientSecretPost(webSecret));
	const person = new Person();
	const first = await login(config, person);
	const second = await login(config, person);
	assert.equal(second.claims().sid, first.claims().sid, "the second login is of the same session");
});

test("client credentials", async () => {
	const config = await discover("machine", client.ClientSecretPost(machineSecret));
	const tokens = await client.clientCredentialsGrant(config, { resource: gateway.api });
	gateway.secret(tokens.access_token);
	assert.equal((await callAPI(gateway, tokens.access_token)).body.user, "machine@clients");
	assert.equal(tokens.refresh_token, undefined);
});

test("private_key_jwt at every endpoint, and a replay is refused", async () => {
	const config = await discover("signs", client.PrivateKeyJwt(await signingKey()));
	let sent;
	config[client.customFetch] = (url, options) => {
		sent = { url, options };
		return fetch(url, options);
	};
	const tokens = await client.clientCredentialsGrant(config, { resource: gateway.api });
	gateway.secret(tokens.access_token);
	assert.equal((await callAPI(gateway, tokens.access_token)).body.user, "signs@clients");
	const replay = await fetch(sent.url, sent.options);
	assert.equal(replay.status, 401);
	assert.equal((await replay.json()).error, "invalid_client");
	assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, true);
	await client.tokenRevocation(config, tokens.access_token);
	assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false);
	assert.equal((await callAPI(gateway, tokens.access_token)).status, 401);
});
