import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as oauth from "oauth4webapi";
import { callAPI, machineSecret, signingKey, start, webSecret } from "../harness/gateway.mjs";
import { Person } from "../harness/person.mjs";

const http = { [oauth.allowInsecureRequests]: true };

let gateway;
let server;
before(async () => {
	gateway = await start();
	const issuer = new URL(gateway.issuer);
	for (const algorithm of ["oidc", "oauth2"]) {
		server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...http, algorithm }));
		assert.equal(server.issuer, gateway.issuer);
	}
});
after(() => gateway?.stop());

// authorize takes the code grant up to the redirect.
async function authorize(client, extra = {}, redirect = gateway.callback) {
	const verifier = oauth.generateRandomCodeVerifier();
	const state = oauth.generateRandomState();
	const nonce = oauth.generateRandomNonce();
	const url = new URL(server.authorization_endpoint);
	url.search = new URLSearchParams({
		client_id: client.client_id,
		redirect_uri: redirect,
		response_type: "code",
		scope: "openid profile email offline_access orders:read",
		resource: gateway.api,
		code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
		code_challenge_method: "S256",
		state,
		nonce,
		...extra,
	});
	const back = await new Person().authorize(url, redirect);
	gateway.secret(back.searchParams.get("code"), verifier);
	return { answer: oauth.validateAuthResponse(server, client, back, state), verifier, nonce };
}

async function login(client, auth, extra) {
	const { answer, verifier, nonce } = await authorize(client, extra);
	const response = await oauth.authorizationCodeGrantRequest(server, client, auth, answer, gateway.callback, verifier, http);
	const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: nonce, requireIdToken: true });
	await oauth.validateApplicationLevelSignature(server, response, http);
	gateway.secret(tokens.access_token, tokens.refresh_token, tokens.id_token);
	return tokens;
}

const methods = [
	{ name: "client_secret_basic", auth: oauth.ClientSecretBasic(webSecret) },
	{ name: "client_secret_post", auth: oauth.ClientSecretPost(webSecret) },
	{ name: "private_key_jwt", auth: oauth.PrivateKeyJwt(await signingKey()), id: "express-signs" },
];
for (const { name, auth, id = "web" } of methods) {
	test(`code, userinfo, refresh, introspection and revocation with ${name}`, async () => {
		const client = { client_id: id };
		const first = await login(client, auth);
		const { sub } = oauth.getValidatedIdTokenClaims(first);
		assert.equal(sub, "local|alice");
		assert.deepEqual(await callAPI(gateway, first.access_token), { status: 200, body: { user: sub, header: sub } });

		const person = await oauth.processUserInfoResponse(server, client, sub, await oauth.userInfoRequest(server, client, first.access_token, http));
		assert.equal(person.email, "alice@example.com");
		assert.equal(person.name, "Alice Liddell");

		const second = await oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, auth, first.refresh_token, http));
		gateway.secret(second.access_token, second.refresh_token);
		assert.notEqual(second.refresh_token, first.refresh_token);

		const introspect = async (token) => oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, auth, token, http));
		assert.equal((await introspect(second.access_token)).active, true);
		assert.equal((await introspect(second.refresh_token)).active, true);

		await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, second.refresh_token, http));
		assert.equal((await introspect(second.access_token)).active, false);
		assert.equal((await introspect(second.refresh_token)).active, false);
		assert.equal((await callAPI(gateway, second.access_token)).status, 401);
	});
}

test("the token of a JWT access token library is an at+jwt for the API", async () => {
	const { access_token: token } = await login({ client_id: "web" }, oauth.ClientSecretPost(webSecret));
	const request = new Request(gateway.api, { headers: { Authorization: `Bearer ${token}` } });
	const claims = await oauth.validateJwtAccessToken(server, request, gateway.api, http);
	assert.equal(claims.client_id, "web");
	assert.match(claims.scope, /orders:read/);
});

test("a person is asked for consent", async () => {
	const tokens = await login({ client_id: "asks" }, oauth.ClientSecretPost(webSecret));
	assert.ok(tokens.refresh_token);
});

test("a public client exchanges its code with PKCE alone", async () => {
	const client = { client_id: "spa" };
	const redirect = gateway.app + "oidc.html";
	const { answer, verifier, nonce } = await authorize(client, {}, redirect);
	const response = await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), answer, redirect, verifier, http);
	const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: nonce, requireIdToken: true });
	gateway.secret(tokens.access_token, tokens.refresh_token);
});

test("client credentials", async () => {
	const client = { client_id: "machine" };
	for (const parameter of ["audience", "resource"]) {
		const response = await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic(machineSecret), { [parameter]: gateway.api, scope: "orders:read" }, http);
		const tokens = await oauth.processClientCredentialsResponse(server, client, response);
		gateway.secret(tokens.access_token);
		assert.equal((await callAPI(gateway, tokens.access_token)).body.user, "machine@clients");
	}
});

test("errors are OAuth errors", async (t) => {
	const client = { client_id: "web" };
	await t.test("a wrong secret", async () => {
		const response = await oauth.clientCredentialsGrantRequest(server, { client_id: "machine" }, oauth.ClientSecretPost("wrong"), {}, http);
		await assert.rejects(oauth.processClientCredentialsResponse(server, client, response), { error: "invalid_client", status: 401 });
	});
	await t.test("an unknown refresh token", async () => {
		const response = await oauth.refreshTokenGrantRequest(server, client, oauth.ClientSecretPost(webSecret), "rt1.unknown", http);
		await assert.rejects(oauth.processRefreshTokenResponse(server, client, response), { error: "invalid_grant", status: 400 });
	});
	await t.test("a code with another verifier", async () => {
		const { answer } = await authorize(client);
		const response = await oauth.authorizationCodeGrantRequest(server, client, oauth.ClientSecretPost(webSecret), answer, gateway.callback, oauth.generateRandomCodeVerifier(), http);
		await assert.rejects(oauth.processAuthorizationCodeResponse(server, client, response), { error: "invalid_grant", status: 400 });
	});
	await t.test("prompt=none without a session", async () => {
		await assert.rejects(authorize(client, { prompt: "none" }), { error: "login_required" });
	});
});
