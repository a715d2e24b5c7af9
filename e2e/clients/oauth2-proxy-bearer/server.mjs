// An API that leaves verifying to oauth2-proxy.
import { spawn } from "node:child_process";
import { createServer } from "node:http";

const { ISSUER, AUDIENCE, PORT } = process.env;

const api = createServer((req, res) => {
	res.end(JSON.stringify({ user: req.headers["x-forwarded-user"] }));
}).listen(0, "127.0.0.1", () => {
	spawn(".built/oauth2-proxy", [
		"--provider=oidc",
		`--oidc-issuer-url=${ISSUER}`,
		"--client-id=oauth2-proxy-bearer",
		"--client-secret=none-is-used",
		"--skip-jwt-bearer-tokens",
		`--extra-jwt-issuers=${ISSUER}=${AUDIENCE}`,
		"--bearer-token-login-fallback=false",
		"--email-domain=*",
		"--cookie-secret=0123456789abcdef0123456789abcdef",
		`--http-address=localhost:${PORT}`,
		`--upstream=http://127.0.0.1:${api.address().port}/`,
	], { stdio: "inherit" });
});
