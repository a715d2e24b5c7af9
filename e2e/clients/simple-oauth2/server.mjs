import { randomUUID } from "node:crypto";
import express from "express";
import { AuthorizationCode } from "simple-oauth2";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, HOME_URL, AUDIENCE, PORT } = process.env;

const client = new AuthorizationCode({
	client: { id: CLIENT_ID, secret: CLIENT_SECRET },
	auth: { tokenHost: ISSUER, tokenPath: "/oauth/token", authorizePath: "/authorize" },
});

// One person tries this at a time.
let state;
let accessToken;

const app = express();
app.get("/login", (req, res) => {
	state = randomUUID();
	res.redirect(client.authorizeURL({ redirect_uri: REDIRECT_URI, scope: "openid email offline_access", state }));
});
app.get("/callback", async (req, res) => {
	if (req.query.state !== state) return res.status(400).send("Not asked for");
	accessToken = await client.getToken({ code: req.query.code, redirect_uri: REDIRECT_URI });
	res.redirect("/user");
});

const get = (url) => fetch(url, { headers: { Authorization: `Bearer ${accessToken.token.access_token}` } });

app.get("/user", async (req, res) => {
	if (!accessToken) return res.json({});
	res.json(await (await get(`${ISSUER}userinfo`)).json());
});
app.get("/orders", async (req, res) => {
	const answer = await get(AUDIENCE);
	res.status(answer.status).send(await answer.text());
});
app.get("/refresh", async (req, res) => {
	accessToken = await accessToken.refresh();
	res.redirect("/orders");
});
app.get("/logout", async (req, res) => {
	const { id_token } = accessToken.token;
	await accessToken.revokeAll();
	accessToken = undefined;
	res.redirect(`${ISSUER}oidc/logout?${new URLSearchParams({ id_token_hint: id_token, post_logout_redirect_uri: HOME_URL })}`);
});

app.listen(PORT, "localhost");
