import express from "express";
import { auth } from "express-oauth2-jwt-bearer";

const { ISSUER, AUDIENCE, PORT } = process.env;

const app = express();
app.use(auth({
	issuerBaseURL: ISSUER,
	audience: AUDIENCE,
}));

app.get("/orders", (req, res) => res.json({ user: req.auth.payload.sub }));
app.listen(PORT, "localhost");
