// One gateway for the programs in e2e/clients: each has a client block with what it says of itself and nothing else.
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { folder } from "./clients.mjs";
import { alice, aliceHash, freePlaces, serve, sha256 } from "./gateway.mjs";
import { startMCP } from "./mcp.mjs";
import { Person } from "./person.mjs";

export const secret = "gs_7mYw0Zr3Qk1bXc9vTn5LfA2hJd8sPe6u";

// gateways groups the clients by what their gateway has to be like.
export function gateways(clients) {
	const groups = {};
	for (const client of clients) (groups[client.kind === "mcp" ? "mcp" : `${client.https ? "https" : "http"} ${client.signing ?? ""}`] ??= []).push(client);
	return Object.values(groups);
}

// startFor runs a gateway that knows the clients, which are one group. Each client gets a home of its own.
export async function startFor(clients) {
	if (clients[0].kind === "mcp") return startMCP({ two: true });
	let [issuer, app, api, auth0API, admin, ...homes] = await freePlaces(5 + clients.length);
	if (clients[0].https) {
		[issuer, app] = [issuer, app].map((place) => place.replace("http:", "https:"));
		process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0"; // of this process, the person; the programs check the certificate
	}
	clients.forEach((client, i) => { client.home = client.kind === "spa" ? `${app}${client.name}/` : homes[i]; });
	return serve({ issuer, app, api, auth0API, admin: new URL(admin).host }, (places) => config(places, clients));
}

// redirectURI is where the gateway sends the answer.
export const redirectURI = (client) => client.home + (client.paths.callback ?? (client.kind === "spa" ? "" : "callback"));

function config({ folder: state, issuer, app, api, auth0API, admin }, clients) {
	const place = (url) => url.replace(/\/$/, "");
	const scopes = "scopes orders:read orders:write\n\t\t\tallow_offline_access";
	return `{
	admin ${admin}
	default_sni localhost
	persist_config off
	default_bind 127.0.0.1
	skip_install_trust
	auto_https disable_redirects
	storage file_system ${state}/caddy
	oauth {
		issuer ${issuer}
		store bolt ${state}/gatehouse.db
		${clients[0].signing ? `signing {\n\t\t\taccess_token_algorithm ${clients[0].signing}\n\t\t}` : ""}
		login local {
			user ${alice.username} ${aliceHash} {
				name "Alice Liddell"
				email alice@example.com
			}
		}
		api ${api} {
			${scopes}
			default
		}
		api ${auth0API} {
			${scopes}
			token_profile auth0
		}
		client person {
			type web
			secret_hash ${sha256(secret)}
			redirect_uris ${issuer}callback
			apis ${api} ${auth0API}
		}
${clients.filter((client) => client.kind !== "api").map((client) => block(client, api)).join("")}	}
}
${place(issuer)} {
	${clients[0].https ? "tls internal" : ""}
	oauth_server
}
${place(app)} {
	${clients[0].https ? "tls internal" : ""}
	header Cache-Control no-store
	respond /gateway.json \`{"issuer": "${issuer}", "api": "${api}"}\`
	root * ${folder}
	file_server
}
${[api, auth0API].map((audience) => `${place(audience)} {
	bearer_auth {
		audience ${audience}
	}
	header Content-Type application/json
	respond \`{"user": "{http.auth.user.id}", "token": "{http.auth.user.jti}"}\`
}
`).join("")}`;
}

// block is what an operator writes for the client.
function block(client, api) {
	const spa = client.kind === "spa";
	return `		client ${client.name} {
			type ${spa ? "spa" : "web"}
			redirect_uris ${redirectURI(client)}
			logout_uris ${client.home}
			apis ${api}
			${[...(spa ? [] : [`secret_hash ${sha256(secret)}`]), ...(client.gateway ?? []).map((line) => line.replace("{home}", client.home))].join("\n\t\t\t")}
		}
`;
}

// environment is what a program is told: the issuer, its id, its secret, where it is sent back to, and the API that it calls or is.
export function environment(client, gateway) {
	const audience = client.profile === "auth0" ? gateway.auth0API : gateway.api;
	const root = join(gateway.folder, "caddy/pki/authorities/local/root.crt");
	return {
		...(client.https && { SSL_CERT_FILE: root, REQUESTS_CA_BUNDLE: root, NODE_EXTRA_CA_CERTS: root, NODE_TLS_REJECT_UNAUTHORIZED: "1" }),
		PORT: new URL(client.home).port, HOME_URL: client.home, ISSUER: gateway.issuer, AUDIENCE: audience,
		CLIENT_ID: client.name, CLIENT_SECRET: secret, REDIRECT_URI: redirectURI(client),
	};
}

// tokens signs alice in for an API, as a client that the verifiers have nothing to do with.
export async function tokens(gateway, audience) {
	const redirect = gateway.issuer + "callback";
	const verifier = randomBytes(32).toString("base64url");
	const asked = new URL(gateway.issuer + "authorize");
	asked.search = new URLSearchParams({
		client_id: "person", response_type: "code", redirect_uri: redirect, audience, scope: "openid profile email orders:read",
		code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
	});
	const code = (await new Person().authorize(asked, redirect)).searchParams.get("code");
	const answer = await fetch(gateway.issuer + "oauth/token", {
		method: "POST",
		headers: { Authorization: "Basic " + Buffer.from(`person:${secret}`).toString("base64") },
		body: new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri: redirect, code_verifier: verifier }),
	});
	if (!answer.ok) throw new Error(`no tokens for ${audience}: ${await answer.text()}`);
	return answer.json();
}
