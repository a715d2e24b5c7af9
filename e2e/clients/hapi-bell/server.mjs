import Bell from "@hapi/bell";
import Cookie from "@hapi/cookie";
import Hapi from "@hapi/hapi";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, HOME_URL, AUDIENCE, PORT } = process.env;

const server = Hapi.server({ port: PORT, host: "localhost" });
await server.register([Bell, Cookie]);

server.auth.strategy("session", "cookie", {
	cookie: { name: "sid", password: "cookie_encryption_password_secure", isSecure: false, path: "/" },
});
server.auth.strategy("gatehouse", "bell", {
	provider: {
		name: "gatehouse",
		protocol: "oauth2",
		auth: `${ISSUER}authorize`,
		token: `${ISSUER}oauth/token`,
		scope: ["openid", "email", "offline_access"],
		profile: async (credentials, params, get) => {
			credentials.profile = await get(`${ISSUER}userinfo`);
			credentials.idToken = params.id_token;
		},
	},
	password: "cookie_encryption_password_secure",
	clientId: CLIENT_ID,
	clientSecret: CLIENT_SECRET,
	isSecure: false, // http on localhost
	location: new URL(HOME_URL).origin,
});

const people = new Map();

server.route([{
	method: "GET",
	path: "/login",
	options: { auth: { mode: "try", strategy: "gatehouse" } },
	handler: (request, h) => {
		if (!request.auth.isAuthenticated) return h.response(`Authentication failed: ${request.auth.error.message}`).code(500);
		const { profile, token, refreshToken, idToken } = request.auth.credentials;
		people.set(profile.sub, { ...profile, token, refreshToken, idToken });
		request.cookieAuth.set({ sub: profile.sub });
		return h.redirect("/user");
	},
}, {
	method: "GET",
	path: "/user",
	options: { auth: { mode: "try", strategy: "session" } },
	handler: (request) => ({ email: people.get(request.auth.credentials?.sub)?.email ?? null }),
}, {
	method: "GET",
	path: "/orders",
	options: { auth: "session" },
	handler: async (request, h) => {
		const answer = await fetch(AUDIENCE, { headers: { Authorization: `Bearer ${people.get(request.auth.credentials.sub).token}` } });
		return h.response(await answer.text()).code(answer.status);
	},
}, {
	// Bell has no refresh of its own.
	method: "GET",
	path: "/refresh",
	options: { auth: "session" },
	handler: async (request, h) => {
		const person = people.get(request.auth.credentials.sub);
		const answer = await fetch(`${ISSUER}oauth/token`, {
			method: "POST",
			headers: { Authorization: "Basic " + Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString("base64") },
			body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: person.refreshToken }),
		});
		const { access_token: token, refresh_token: refreshToken } = await answer.json();
		Object.assign(person, { token, refreshToken });
		return h.redirect("/orders");
	},
}, {
	method: "GET",
	path: "/logout",
	options: { auth: "session" },
	handler: (request, h) => {
		const { idToken } = people.get(request.auth.credentials.sub);
		request.cookieAuth.clear();
		return h.redirect(`${ISSUER}oidc/logout?${new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: HOME_URL })}`);
	},
}]);

await server.start();
