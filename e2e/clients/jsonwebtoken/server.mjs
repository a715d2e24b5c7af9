import express from "express";
import jwt from "jsonwebtoken";
import jwksClient from "jwks-rsa";

const { ISSUER, AUDIENCE, PORT } = process.env;

const client = jwksClient({ jwksUri: `${ISSUER}.well-known/jwks.json` });

function getKey(header, callback) {
	client.getSigningKey(header.kid, (err, key) => callback(err, key?.getPublicKey()));
}

function authenticate(req, res, next) {
	const token = req.headers.authorization?.replace(/^Bearer /, "");
	jwt.verify(token, getKey, { issuer: ISSUER, audience: AUDIENCE }, (err, claims) => {
		if (err) return res.status(401).json({ error: err.message });
		req.claims = claims;
		next();
	});
}

const app = express();
app.get("/orders", authenticate, (req, res) => res.json({ user: req.claims.sub }));
app.listen(PORT, "localhost");
