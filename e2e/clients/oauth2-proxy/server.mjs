// An application without a login of its own, behind oauth2-proxy.
import { spawn } from "node:child_process";
import { createServer } from "node:http";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, AUDIENCE, PORT } = process.env;

const app = createServer(async (req, res) => {
	const answer = await fetch(AUDIENCE, { headers: { Authorization: `Bearer ${req.headers["x-forwarded-access-token"]}` } });
	res.writeHead(answer.status).end(await answer.text());
}).listen(0, "127.0.0.1", () => {
	spawn(".built/oauth2-proxy", [
		"--provider=oidc",
		`--oidc-issuer-url=${ISSUER}`,
		`--client-id=${CLIENT_ID}`,
		`--client-secret=${CLIENT_SECRET}`,
		`--redirect-url=${REDIRECT_URI}`,
		"--email-domain=*",
		"--cookie-secret=0123456789abcdef0123456789abcdef",
		"--cookie-secure=false", // http on localhost
		`--http-address=localhost:${PORT}`,
		`--upstream=http://127.0.0.1:${app.address().port}/`,
		// An access token for the application, a new one each second, and a way out that ends at the gateway.
		"--scope=openid email profile offline_access",
		"--pass-access-token",
		"--cookie-refresh=1s",
		`--whitelist-domain=${new URL(ISSUER).host}`,
	], { stdio: "inherit" });
});
