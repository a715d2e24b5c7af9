import express from "express";
import session from "express-session";
import grant from "grant";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, HOME_URL, AUDIENCE, PORT } = process.env;

const app = express();
app.use(session({ secret: "grant", saveUninitialized: true, resave: false }));
app.use(grant.express({
	defaults: {
		origin: new URL(HOME_URL).origin,
		transport: "session",
		state: true,
	},
	gatehouse: {
		authorize_url: `${ISSUER}authorize`,
		access_url: `${ISSUER}oauth/token`,
		profile_url: `${ISSUER}userinfo`,
		oauth: 2,
		scope_delimiter: " ",
		key: CLIENT_ID,
		secret: CLIENT_SECRET,
		scope: ["openid", "email", "offline_access"],
		nonce: true,
		response: ["tokens", "profile"],
		callback: "/hello",
	},
}));

app.get("/hello", (req, res) => {
	const { error, profile, ...tokens } = req.session.grant.response;
	if (error) return res.status(500).json(error);
	Object.assign(req.session, { profile, tokens });
	res.redirect("/user");
});
app.get("/user", (req, res) => res.json({ email: req.session.profile?.email }));

app.get("/orders", async (req, res) => {
	const answer = await fetch(AUDIENCE, { headers: { Authorization: `Bearer ${req.session.tokens.access_token}` } });
	res.status(answer.status).send(await answer.text());
});

// Grant has no refresh of its own.
app.get("/refresh", async (req, res) => {
	const answer = await fetch(`${ISSUER}oauth/token`, {
		method: "POST",
		body: new URLSearchParams({
			grant_type: "refresh_token", refresh_token: req.session.tokens.refresh_token, client_id: CLIENT_ID, client_secret: CLIENT_SECRET,
		}),
	});
	Object.assign(req.session.tokens, await answer.json());
	res.redirect("/orders");
});

app.get("/logout", (req, res) => {
	const idToken = req.session.tokens.id_token;
	req.session.destroy(() => {
		res.redirect(`${ISSUER}oidc/logout?${new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: HOME_URL })}`);
	});
});

app.listen(PORT, "localhost");
