import express from "express";
import * as jose from "jose";

const { ISSUER, AUDIENCE, PORT } = process.env;

const JWKS = jose.createRemoteJWKSet(new URL(`${ISSUER}.well-known/jwks.json`));

async function authenticate(req, res, next) {
	const token = req.headers.authorization?.replace(/^Bearer /, "") ?? "";
	try {
		const { payload } = await jose.jwtVerify(token, JWKS, { issuer: ISSUER, audience: AUDIENCE });
		req.claims = payload;
		next();
	} catch (error) {
		res.status(401).json({ error: error.code });
	}
}

const app = express();
app.get("/orders", authenticate, (req, res) => res.json({ user: req.claims.sub }));
app.listen(PORT, "localhost");
