import oauthPlugin from "@fastify/oauth2";
import Fastify from "fastify";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, HOME_URL, AUDIENCE, PORT } = process.env;

const fastify = Fastify();
await fastify.register(oauthPlugin, {
	name: "gatehouse",
	scope: ["openid", "email", "offline_access"],
	credentials: { client: { id: CLIENT_ID, secret: CLIENT_SECRET } },
	startRedirectPath: "/login",
	callbackUri: REDIRECT_URI,
	discovery: { issuer: ISSUER },
});

// One person tries this at a time.
let token;

fastify.get("/callback", async (request, reply) => {
	({ token } = await fastify.gatehouse.getAccessTokenFromAuthorizationCodeFlow(request));
	return reply.redirect("/user");
});
fastify.get("/user", async () => token ? fastify.gatehouse.userinfo(token.access_token) : {});
fastify.get("/orders", async (request, reply) => {
	const answer = await fetch(AUDIENCE, { headers: { Authorization: `Bearer ${token.access_token}` } });
	return reply.code(answer.status).send(await answer.text());
});
fastify.get("/refresh", async (request, reply) => {
	({ token } = await fastify.gatehouse.getNewAccessTokenUsingRefreshToken(token));
	return reply.redirect("/orders");
});
fastify.get("/logout", async (request, reply) => {
	const { id_token } = token;
	await fastify.gatehouse.revokeAllToken(token);
	token = undefined;
	return reply.redirect(`${ISSUER}oidc/logout?${new URLSearchParams({ id_token_hint: id_token, post_logout_redirect_uri: HOME_URL })}`);
});

await fastify.listen({ port: Number(PORT), host: "localhost" });
