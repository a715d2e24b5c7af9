// Another issuer: tokens of node-oidc-provider at a guarded API, while it rotates its keys.
import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import Provider from "oidc-provider";
import { callAPI, freePlaces, machineSecret, serve, sha256 } from "../harness/gateway.mjs";

const secret = "a secret of the other issuer's client";

// A signing key. The provider does not publish the private part.
function key(kid) {
	const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	return { ...privateKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
}

// OP is a whole OpenID provider on a loopback port.
class OP {
	#handle;
	keyFetches = 0;

	async start() {
		this.server = createServer((request, response) => {
			if (request.url === "/jwks") this.keyFetches++;
			this.#handle(request, response);
		}).listen(0, "127.0.0.1");
		await once(this.server, "listening");
		this.issuer = `http://localhost:${this.server.address().port}`;
		return this;
	}

	// sign makes the first key sign; all are published.
	sign(api, ...keys) {
		const provider = new Provider(this.issuer, {
			jwks: { keys },
			clients: [{
				client_id: "worker", client_secret: secret, grant_types: ["client_credentials"], redirect_uris: [], response_types: [],
				id_token_signed_response_alg: "ES256",
			}],
			features: {
				devInteractions: { enabled: false },
				clientCredentials: { enabled: true },
				resourceIndicators: {
					enabled: true,
					getResourceServerInfo: (_, resource) => ({
						audience: resource, scope: "orders:read orders:write", accessTokenFormat: "jwt", accessTokenTTL: 300, jwt: { sign: { alg: "ES256" } },
					}),
				},
			},
			// RFC 9068 §2.2 wants a sub, and the provider leaves the machine's out.
			extraTokenClaims: (_, token) => ({ sub: token.clientId }),
		});
		this.#handle = provider.callback();
		this.resource = api;
	}

	async token(scope = "orders:read", resource = this.resource) {
		const answer = await fetch(this.issuer + "/token", {
			method: "POST",
			headers: { Authorization: "Basic " + btoa(`worker:${encodeURIComponent(secret)}`) },
			body: new URLSearchParams({ grant_type: "client_credentials", scope, resource }),
		});
		const body = await answer.json();
		assert.ok(body.access_token, JSON.stringify(body));
		return body.access_token;
	}

	stop() {
		this.server.closeAllConnections();
		this.server.close();
	}
}

let op, gateway;
const first = key("first");

before(async () => {
	op = await new OP().start();
	const [issuer, api] = await freePlaces(2);
	op.sign(api, first);
	gateway = await serve({ issuer, api }, ({ folder }) => `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	storage file_system ${folder}/caddy
	oauth {
		issuer ${issuer}
		store bolt ${folder}/gatehouse.db
		api ${api} {
			scopes orders:read
		}
		client machine {
			type machine
			apis ${api}
			secret_hash ${sha256(machineSecret)}
		}
	}
}
${issuer.slice(0, -1)} {
	oauth_server
}
${api.slice(0, -1)} {
	bearer_auth {
		audience ${api}
		scope orders:read
		header X-User-Id sub
		issuer ${op.issuer} {
			allow_private
		}
	}
	header Content-Type application/json
	respond \`{"user": "{http.auth.user.id}", "header": "{http.request.header.X-User-Id}", "client": "{http.auth.user.client_id}"}\`
}
`);
	for (let i = 0; op.keyFetches === 0 && i < 100; i++) await pause(50);
});
after(async () => {
	await gateway.stop();
	op.stop();
});

// eventually calls until the API answers 200.
async function eventually(token, within) {
	for (const end = Date.now() + within; ;) {
		const answer = await callAPI(gateway, token);
		if (answer.status === 200 || Date.now() > end) return answer;
		await pause(250);
	}
}

test("a token of the other issuer passes, and its user is not ours", async () => {
	const token = await op.token();
	gateway.secret(token);
	const answer = await eventually(token, 5_000);
	assert.deepEqual(answer.body, { user: `${op.issuer}|worker`, header: `${op.issuer}|worker`, client: "worker" });
	assert.equal(op.keyFetches, 1, "requests bring about no fetches");
});

test("our own tokens pass beside them", async () => {
	const answer = await fetch(gateway.issuer + "oauth/token", {
		method: "POST",
		body: new URLSearchParams({ grant_type: "client_credentials", client_id: "machine", client_secret: machineSecret, audience: gateway.api, scope: "orders:read" }),
	});
	const { access_token: token } = await answer.json();
	gateway.secret(token);
	assert.equal((await callAPI(gateway, token)).body.user, "machine@clients");
});

test("too little scope, another API", async () => {
	assert.equal((await callAPI(gateway, await op.token("orders:write"))).status, 403);
	assert.equal((await callAPI(gateway, await op.token("orders:read", "https://another.example.com"))).status, 401);
});

test("a rotation: the new key is fetched once, nobody waits, and the old one passes while it is published", async () => {
	const old = await op.token();
	const second = key(randomUUID());
	op.sign(gateway.api, second, first);
	const token = await op.token();
	gateway.secret(old, token);
	const fetches = op.keyFetches;

	const refused = await callAPI(gateway, token);
	// The keys were fetched less than 30 seconds ago, so this one is refused now, and does not wait.
	assert.equal(refused.status, 401);
	assert.equal((await callAPI(gateway, old)).status, 200);
	for (const made of await Promise.all(Array.from({ length: 20 }, () => callAPI(gateway, token)))) assert.equal(made.status, 401);

	assert.equal((await eventually(token, 40_000)).status, 200);
	assert.equal(op.keyFetches, fetches + 1, "one fetch for all of them");
	assert.equal((await callAPI(gateway, old)).status, 200, "the old key is still published");

	// The old key is withdrawn: what it signed ends with the next fetch, cached or not.
	op.sign(gateway.api, key(randomUUID()), second);
	const third = await op.token();
	gateway.secret(third);
	assert.equal((await eventually(third, 40_000)).status, 200);
	assert.equal((await callAPI(gateway, old)).status, 401);
	assert.equal((await callAPI(gateway, token)).status, 200);
});
