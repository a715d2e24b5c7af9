import express from "express";
import { expressjwt as jwt } from "express-jwt";
import jwksRsa from "jwks-rsa";

const { ISSUER, AUDIENCE, PORT } = process.env;

const app = express();
app.use(jwt({
	secret: jwksRsa.expressJwtSecret({
		cache: true,
		rateLimit: true,
		jwksRequestsPerMinute: 5,
		jwksUri: `${ISSUER}.well-known/jwks.json`,
	}),
	audience: AUDIENCE,
	issuer: ISSUER,
	algorithms: ["RS256"],
}));

app.get("/orders", (req, res) => res.json({ user: req.auth.sub }));
app.use((error, req, res, next) => res.status(error.status ?? 500).json({ error: error.message }));
app.listen(PORT, "localhost");
