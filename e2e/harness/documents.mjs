// The host of a program's metadata, which is its client_id: a Caddy with an authority of its own.
import { join } from "node:path";
import { freePlaces, serve } from "./gateway.mjs";

// startDocuments serves the metadata of one client for all programs. ca is the file of the authority.
export async function startDocuments() {
	const [ready, secure] = await freePlaces(2);
	const origin = secure.slice(0, -1).replace("http:", "https:");
	const url = origin + "/oauth/client.json";
	const places = ["127.0.0.1", "localhost"].map((host) => `http://${host}/callback`);
	const metadata = { client_id: url, client_name: "Test program", redirect_uris: places, grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none" };
	const host = await serve({ issuer: ready }, ({ folder }) => `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	skip_install_trust
	auto_https disable_redirects
	storage file_system ${folder}/caddy
}
${ready.slice(0, -1)} {
	respond ready
}
${origin} {
	tls internal
	header Content-Type application/json
	respond /oauth/client.json ${"`" + JSON.stringify(metadata) + "`"}
}
`);
	return Object.assign(host, { url, origin, ca: join(host.folder, "caddy/pki/authorities/local/root.crt") });
}
