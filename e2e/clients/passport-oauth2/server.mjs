import express from "express";
import session from "express-session";
import passport from "passport";
import OAuth2Strategy from "passport-oauth2";
import refresh from "passport-oauth2-refresh";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, HOME_URL, AUDIENCE, PORT } = process.env;

const strategy = new OAuth2Strategy({
	authorizationURL: `${ISSUER}authorize`,
	tokenURL: `${ISSUER}oauth/token`,
	clientID: CLIENT_ID,
	clientSecret: CLIENT_SECRET,
	callbackURL: REDIRECT_URI,
	scope: ["openid", "email", "offline_access"],
}, async (accessToken, refreshToken, params, profile, done) => {
	const answer = await fetch(`${ISSUER}userinfo`, { headers: { Authorization: `Bearer ${accessToken}` } });
	done(null, { ...await answer.json(), accessToken, refreshToken, idToken: params.id_token });
});
passport.use(strategy);
refresh.use(strategy);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.use(session({ secret: "keyboard cat", resave: false, saveUninitialized: false }));
app.use(passport.session());

app.get("/login", passport.authenticate("oauth2"));
app.get("/callback", passport.authenticate("oauth2"), (req, res) => res.redirect("/user"));
app.get("/user", (req, res) => res.json({ email: req.user?.email }));

app.get("/orders", async (req, res) => {
	const answer = await fetch(AUDIENCE, { headers: { Authorization: `Bearer ${req.user.accessToken}` } });
	res.status(answer.status).send(await answer.text());
});

app.get("/refresh", (req, res, next) => {
	refresh.requestNewAccessToken("oauth2", req.user.refreshToken, (failure, accessToken, refreshToken) => {
		if (failure) return next(failure);
		Object.assign(req.user, { accessToken, refreshToken });
		res.redirect("/orders");
	});
});

app.get("/logout", (req, res, next) => {
	const idToken = req.user.idToken;
	req.logout((failure) => {
		if (failure) return next(failure);
		res.redirect(`${ISSUER}oidc/logout?${new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: HOME_URL })}`);
	});
});

app.listen(PORT, "localhost");
