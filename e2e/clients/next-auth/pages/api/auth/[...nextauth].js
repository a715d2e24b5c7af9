import NextAuth from "next-auth";

const { ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env;

// The access token is renewed when it is older than this.
const age = 1000;

export const authOptions = {
	providers: [{
		id: "gatehouse",
		name: "Gatehouse",
		type: "oauth",
		wellKnown: `${ISSUER}.well-known/openid-configuration`,
		authorization: { params: { scope: "openid email profile offline_access" } },
		idToken: true,
		clientId: CLIENT_ID,
		clientSecret: CLIENT_SECRET,
		profile(profile) {
			return { id: profile.sub, name: profile.name, email: profile.email };
		},
	}],
	callbacks: {
		async jwt({ token, account }) {
			if (account) {
				return { ...token, accessToken: account.access_token, refreshToken: account.refresh_token, idToken: account.id_token, renewAt: Date.now() + age };
			}
			return Date.now() < token.renewAt ? token : refresh(token);
		},
		async session({ session, token }) {
			return { ...session, accessToken: token.accessToken };
		},
	},
};

async function refresh(token) {
	const answer = await fetch(`${ISSUER}oauth/token`, {
		method: "POST",
		body: new URLSearchParams({ client_id: CLIENT_ID, client_secret: CLIENT_SECRET, grant_type: "refresh_token", refresh_token: token.refreshToken }),
	});
	const tokens = await answer.json();
	if (!answer.ok) throw tokens;
	return { ...token, accessToken: tokens.access_token, refreshToken: tokens.refresh_token ?? token.refreshToken, renewAt: Date.now() + age };
}

export default NextAuth(authOptions);
