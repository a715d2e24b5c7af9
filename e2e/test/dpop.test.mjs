// DPoP (RFC 9449) with the clients that people use, without and with nonces.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as oauth from "oauth4webapi";
import { launch, profile, signIn } from "../harness/browser.mjs";
import { callAPI, machineSecret, refreshWith, start } from "../harness/gateway.mjs";
import { Person } from "../harness/person.mjs";

const http = { [oauth.allowInsecureRequests]: true };

// retried calls once more where the server asks for a nonce, which the DPoP handle has noted.
async function retried(call) {
	try {
		return await call();
	} catch (error) {
		if (!oauth.isDPoPNonceError(error)) throw error;
		return call();
	}
}

for (const { name, options } of [{ name: "without nonces" }, { name: "with nonces", options: "dpop {\nrequire_nonce\n}" }]) {
	describe(`oauth4webapi ${name}`, () => {
		let gateway;
		let server;
		before(async () => {
			gateway = await start(options);
			const issuer = new URL(gateway.issuer);
			server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, http));
		});
		after(() => gateway?.stop());

		const orders = async (token, handle) => {
			const answer = await oauth.protectedResourceRequest(token, "GET", new URL(gateway.api + "orders?page=1"), undefined, undefined, { ...http, DPoP: handle });
			return answer.json();
		};

		test("code bound by dpop_jkt, userinfo, the API, refresh", async () => {
			const client = { client_id: "spa" };
			const redirect = gateway.app + "oidc.html";
			const handle = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
			const verifier = oauth.generateRandomCodeVerifier();
			const url = new URL(server.authorization_endpoint);
			url.search = new URLSearchParams({
				client_id: client.client_id, redirect_uri: redirect, response_type: "code", scope: "openid offline_access orders:read", resource: gateway.api,
				code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", dpop_jkt: await handle.calculateThumbprint(),
			});
			const back = oauth.validateAuthResponse(server, client, await new Person().authorize(url, redirect), oauth.expectNoState);
			const first = await retried(async () => oauth.processAuthorizationCodeResponse(server, client,
				await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), back, redirect, verifier, { ...http, DPoP: handle })));
			gateway.secret(first.access_token, first.refresh_token, first.id_token);
			assert.equal(first.token_type, "dpop"); // as the library writes it
			assert.equal((await retried(() => orders(first.access_token, handle))).user, "local|alice");
			assert.equal((await callAPI(gateway, first.access_token)).status, 401);

			const { sub } = oauth.getValidatedIdTokenClaims(first);
			const person = await retried(async () => oauth.processUserInfoResponse(server, client, sub, await oauth.userInfoRequest(server, client, first.access_token, { ...http, DPoP: handle })));
			assert.equal(person.sub, "local|alice");

			assert.equal((await refreshWith(gateway, first.refresh_token)).body.error, "invalid_dpop_proof");
			const thief = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
			const refresh = (by) => retried(async () => oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, oauth.None(), first.refresh_token, { ...http, DPoP: by })));
			await assert.rejects(refresh(thief), { error: "invalid_grant", status: 400 });
			const second = await refresh(handle);
			gateway.secret(second.access_token, second.refresh_token);
			const again = await refresh(handle); // a lost answer
			assert.equal(again.refresh_token, second.refresh_token);
			assert.equal((await retried(() => orders(second.access_token, handle))).user, "local|alice");
			await assert.rejects(retried(() => orders(second.access_token, thief)), (error) => error.cause?.some(({ scheme, parameters }) => scheme === "dpop" && parameters.error === "invalid_token"));
		});

		for (const algorithm of ["ES256", "Ed25519", "PS256", "RS256", "ES384", "ES512"]) {
			test(`client credentials with a key for ${algorithm}`, async () => {
				const client = { client_id: "machine" };
				const handle = oauth.DPoP(client, await oauth.generateKeyPair(algorithm));
				const tokens = await retried(async () => oauth.processClientCredentialsResponse(server, client,
					await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic(machineSecret), { resource: gateway.api, scope: "orders:read" }, { ...http, DPoP: handle })));
				gateway.secret(tokens.access_token);
				assert.equal((await retried(() => orders(tokens.access_token, handle))).user, "machine@clients");
			});
		}
	});

	describe(`auth0-spa-js ${name}`, () => {
		let gateway;
		let browser;
		before(async () => { [gateway, browser] = await Promise.all([start(options), launch()]); });
		after(async () => {
			await browser?.close();
			await gateway?.stop();
		});

		for (const cacheLocation of ["memory", "localstorage"]) {
			test(`log in, call the API, refresh: ${cacheLocation} cache`, async () => {
				const context = await profile(browser);
				const page = await context.newPage();
				const settings = { issuer: gateway.issuer, api: gateway.api, options: { useDpop: true, useRefreshTokens: true, cacheLocation } };
				await page.addInitScript((settings) => { window.settings = settings; }, settings);
				const ready = async () => {
					await page.waitForFunction(() => window.ready);
					await page.evaluate(() => window.ready);
				};
				const challenges = [];
				context.on("response", async (response) => {
					if (response.status() === 400 || response.status() === 401) challenges.push((await response.allHeaders())["dpop-nonce"] && new URL(response.url()).pathname);
				});
				await page.goto(gateway.app + "auth0.html");
				await ready();
				await page.evaluate(() => { window.client.loginWithRedirect(); });
				await signIn(page);
				await page.waitForURL(gateway.app + "auth0.html**");
				await ready();

				const call = () => page.evaluate(async (api) => {
					window.fetcher ??= window.client.createFetcher({ dpopNonceId: "orders", baseUrl: api, getAccessToken: () => window.client.getTokenSilently({ detailedResponse: true }) });
					const answer = await window.fetcher.fetchWithAuth("orders?page=1");
					return { status: answer.status, user: answer.ok ? (await answer.json()).user : undefined };
				}, gateway.api);
				const refresh = () => page.evaluate(() => window.client.getTokenSilently({ cacheMode: "off", detailedResponse: true }));
				assert.deepEqual(await call(), { status: 200, user: "local|alice" });
				const first = await refresh();
				gateway.secret(first.access_token, first.id_token);
				assert.equal(first.token_type, "DPoP");
				assert.equal((await callAPI(gateway, first.access_token)).status, 401);
				assert.deepEqual(await call(), { status: 200, user: "local|alice" });
				const second = await refresh();
				gateway.secret(second.access_token, second.id_token);
				assert.notEqual(second.access_token, first.access_token);
				assert.deepEqual(await call(), { status: 200, user: "local|alice" });
				assert.deepEqual(challenges, options ? ["/oauth/token", "/orders"] : []);
				await context.close();
			});
		}
	});
}
