import ClientOAuth2 from "client-oauth2";
import express from "express";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, HOME_URL, AUDIENCE, PORT } = process.env;

const auth = new ClientOAuth2({
	clientId: CLIENT_ID,
	clientSecret: CLIENT_SECRET,
	accessTokenUri: `${ISSUER}oauth/token`,
	authorizationUri: `${ISSUER}authorize`,
	redirectUri: REDIRECT_URI,
	scopes: ["openid", "email", "offline_access"],
});

// One person tries this at a time.
let user;

const app = express();
app.get("/login", (req, res) => res.redirect(auth.code.getUri()));
app.get("/callback", async (req, res) => {
	user = await auth.code.getToken(req.originalUrl);
	res.redirect("/user");
});

const get = (url) => {
	const { headers } = user.sign({ method: "get", url });
	return fetch(url, { headers });
};

app.get("/user", async (req, res) => {
	if (!user) return res.json({});
	res.json(await (await get(`${ISSUER}userinfo`)).json());
});
app.get("/orders", async (req, res) => {
	const answer = await get(AUDIENCE);
	res.status(answer.status).send(await answer.text());
});
app.get("/refresh", async (req, res) => {
	user = await user.refresh();
	res.redirect("/orders");
});
app.get("/logout", (req, res) => {
	const { id_token } = user.data;
	user = undefined;
	res.redirect(`${ISSUER}oidc/logout?${new URLSearchParams({ id_token_hint: id_token, post_logout_redirect_uri: HOME_URL })}`);
});

app.listen(PORT, "localhost");
