import Fastify from "fastify";
import jwtJwks from "fastify-jwt-jwks";

const { ISSUER, AUDIENCE, PORT } = process.env;

const server = Fastify();
await server.register(jwtJwks, {
	jwksUrl: `${ISSUER}.well-known/jwks.json`,
	issuer: ISSUER,
	audience: AUDIENCE,
});

server.get("/orders", { preValidation: server.authenticate }, (request, reply) => {
	reply.send({ user: request.user.sub });
});

await server.listen({ port: Number(PORT), host: "localhost" });
