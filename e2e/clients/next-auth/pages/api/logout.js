import { getToken } from "next-auth/jwt";

// NextAuth ends its own session alone: this ends the gateway's too.
export default async function handler(req, res) {
	const { idToken } = await getToken({ req });
	res.setHeader("Set-Cookie", "next-auth.session-token=; Path=/; Max-Age=0");
	res.redirect(`${process.env.ISSUER}oidc/logout?${new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: process.env.NEXTAUTH_URL })}`);
}
