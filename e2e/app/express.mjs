// A web application with Auth0's SDK for Node.js: sign in, call an API, refresh, sign out.
import { once } from "node:events";
import express from "express";
import oidc from "express-openid-connect";

const { auth, requiresAuth } = oidc;

// listen serves the application at the origin of the callback. The page / needs no one to be signed in.
export async function listen(gateway, client) {
	const home = new URL("/", gateway.callback);
	const app = express();
	app.use(auth({
		issuerBaseURL: gateway.issuer,
		baseURL: home.origin,
		secret: "a secret of the session cookie, long enough",
		authRequired: false,
		idpLogout: true,
		authorizationParams: {
			response_type: "code",
			audience: gateway.api,
			scope: "openid profile email offline_access orders:read",
		},
		...client,
	}));
	app.get("/", (req, res) => { res.json({ user: req.oidc.user ?? null }); });
	app.get("/orders", requiresAuth(), async (req, res) => { res.json(await orders(gateway, req.oidc.accessToken)); });
	app.get("/refresh", requiresAuth(), async (req, res) => {
		const before = req.oidc.refreshToken;
		const token = await req.oidc.accessToken.refresh();
		res.json({ ...await orders(gateway, token), rotated: before !== req.oidc.refreshToken, expiresIn: token.expires_in });
	});
	app.get("/profile", requiresAuth(), async (req, res) => { res.json(await req.oidc.fetchUserInfo()); });
	app.use((error, _req, res, _next) => { res.status(error.statusCode ?? 500).json({ error: error.message }); });
	const server = app.listen(Number(home.port), "localhost");
	await once(server, "listening");
	return server;
}

async function orders(gateway, token) {
	gateway.secret(token.access_token);
	const answer = await fetch(gateway.api + "orders", { headers: { Authorization: `${token.token_type} ${token.access_token}` } });
	return { status: answer.status, body: answer.ok ? await answer.json() : null };
}
